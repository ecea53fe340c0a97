// workers/codecs.ts: gzip, brotli and zstd as synchronous encoders: core/middleware/codecs.ts is the contract.
//
// Owner:  the worker, one set for its life. Hot: yes, per piece of compressed bodies.
//
// The streams of node:zlib hand each piece to a thread of libuv and back, and cost 20 to 40 us to make; a piece of
// 1 KiB takes 15 us to compress. Their handles can also write at once (writeSync, what gzipSync calls), and
// can be used again. So this file uses the handles of the pinned Node; codecs.test.ts fails when they change.
//
//   spare --- encoder() ---> in use --- release() ---> spare, or closed when there are SPARE_MAX already
//
// Levels: what comes from one more (gzip 6, brotli 5) is 5 % smaller at most, for half as much CPU again.

import { Buffer } from 'node:buffer'
import type { Codecs, Coding, Encoder } from '../core/middleware/codecs.ts'
import { zlibModule } from './builtins.ts'

const GZIP_LEVEL = 4
const BROTLI_QUALITY = 4
const ZSTD_LEVEL = 3
const WINDOW_BITS = 18 // brotli, zstd: 256 KiB; their own default is 2 to 4 MiB of memory for each response
const MEMORY_MAX = 128 * 1024 * 1024 // of all encoders in use; responses beyond are sent as they are
const SPARE_MAX = 8 // of each coding: those of a burst are closed
const OUT_BYTES = 64 * 1024

// Measured: growth of RSS by 100 encoders that have seen 256 KiB each.
const encoderBytes: Readonly<Record<Coding, number>> = {
  gzip: 272 * 1024,
  br: 1024 * 1024,
  zstd: 1200 * 1024,
}

// lib/zlib.js of Node 22. writeSync leaves in `state` what is left of output and input, in this order.
interface Handle {
  onerror: (message: string, errno: number, code: string) => void
  writeSync(
    operation: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void
  init(...settings: unknown[]): void
  reset(): void
  close(): void
}

interface ZlibStream {
  readonly _handle: Handle
  readonly _writeState: Uint32Array
}

interface Operations {
  readonly run: number
  readonly flush: number
  readonly end: number
}

const nothing = new Uint8Array(0)
const out = Buffer.allocUnsafeSlow(OUT_BYTES) // of this thread: writing is synchronous

export class ZlibCodecs implements Codecs {
  inUse = 0
  bytesInUse = 0
  private readonly memoryMax: number
  private readonly spares: Readonly<Record<Coding, ZlibEncoder[]>> = { gzip: [], br: [], zstd: [] }

  constructor(memoryMax = MEMORY_MAX) {
    this.memoryMax = memoryMax
  }

  encoder(coding: Coding): Encoder | null {
    const bytes = this.bytesInUse + encoderBytes[coding]
    if (bytes > this.memoryMax) return null
    this.bytesInUse = bytes
    this.inUse++
    const encoder = this.spares[coding].pop() ?? new ZlibEncoder(this, coding)
    encoder.begin()
    return encoder
  }

  takeBack(encoder: ZlibEncoder): void {
    this.inUse--
    this.bytesInUse -= encoderBytes[encoder.coding]
    const spares = this.spares[encoder.coding]
    if (encoder.failed || spares.length >= SPARE_MAX) encoder.close()
    else spares.push(encoder)
  }
}

class ZlibEncoder implements Encoder {
  readonly coding: Coding
  failed = false
  private readonly codecs: ZlibCodecs
  private readonly handle: Handle
  private readonly state: Uint32Array
  private readonly operations: Operations
  private readonly restart: (handle: Handle, state: Uint32Array) => void
  private fresh = true
  private taken = false

  constructor(codecs: ZlibCodecs, coding: Coding) {
    const { stream, operations, restart } = makers[coding]()
    this.codecs = codecs
    this.coding = coding
    this.handle = stream._handle
    this.state = stream._writeState
    this.operations = operations
    this.restart = restart
    this.handle.onerror = () => {
      this.failed = true
    }
  }

  begin(): void {
    if (!this.fresh) this.restart(this.handle, this.state)
    this.fresh = false
    this.taken = true
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    return from === to ? nothing : this.write(this.operations.run, bytes, from, to - from)
  }

  flush(): Uint8Array {
    return this.write(this.operations.flush, nothing, 0, 0)
  }

  end(): Uint8Array {
    return this.write(this.operations.end, nothing, 0, 0)
  }

  release(): void {
    if (!this.taken) return
    this.taken = false
    this.codecs.takeBack(this)
  }

  close(): void {
    this.handle.close()
  }

  // Until there is room left in the output: then the library has given all that it had to give.
  private write(operation: number, bytes: Uint8Array, at: number, length: number): Uint8Array {
    const { handle, state } = this
    let result: Uint8Array = nothing
    while (!this.failed) {
      handle.writeSync(operation, bytes, at, length, out, 0, OUT_BYTES)
      const [roomLeft, inputLeft] = state as unknown as [number, number]
      const made = OUT_BYTES - roomLeft
      if (made > 0) result = joined(result, made)
      at += length - inputLeft
      length = inputLeft
      if (roomLeft > 0) return result
    }
    return nothing
  }
}

// `before` and the first `made` bytes of the output, copied: the next call writes there again.
function joined(before: Uint8Array, made: number): Uint8Array {
  const result = Buffer.allocUnsafeSlow(before.length + made)
  result.set(before, 0)
  out.copy(result, before.length, 0, made)
  return result
}

interface Made {
  readonly stream: ZlibStream
  readonly operations: Operations
  readonly restart: (handle: Handle, state: Uint32Array) => void
}

const makers: Readonly<Record<Coding, () => Made>> = {
  gzip: () => {
    const { createGzip, constants } = zlibModule()
    return {
      stream: asHandles(createGzip({ level: GZIP_LEVEL })),
      operations: {
        run: constants.Z_NO_FLUSH,
        flush: constants.Z_SYNC_FLUSH,
        end: constants.Z_FINISH,
      },
      restart: (handle) => handle.reset(),
    }
  },

  // reset() of these two goes back to the library's defaults (brotli: quality 11, a hundred times as slow), init()
  // takes the settings again.
  br: () => {
    const { createBrotliCompress, constants } = zlibModule()
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
    }
    const settings = settingsOf(params, 'BROTLI_PARAM_')
    return {
      stream: asHandles(createBrotliCompress({ params })),
      operations: {
        run: constants.BROTLI_OPERATION_PROCESS,
        flush: constants.BROTLI_OPERATION_FLUSH,
        end: constants.BROTLI_OPERATION_FINISH,
      },
      restart: (handle, state) => handle.init(settings, state, neverCalled),
    }
  },

  zstd: () => {
    const { createZstdCompress, constants } = zlibModule()
    const params = {
      [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL,
      [constants.ZSTD_c_windowLog]: WINDOW_BITS,
    }
    const settings = settingsOf(params, 'ZSTD_c_')
    return {
      stream: asHandles(createZstdCompress({ params })),
      operations: {
        run: constants.ZSTD_e_continue,
        flush: constants.ZSTD_e_flush,
        end: constants.ZSTD_e_end,
      },
      restart: (handle, state) => handle.init(settings, undefined, state, neverCalled, undefined),
    }
  },
}

// One number for each parameter that the library has; -1 for its default.
function settingsOf(params: Readonly<Record<number, number>>, prefix: string): Uint32Array {
  const known = Object.entries(zlibModule().constants).filter(([name]) => name.startsWith(prefix))
  const settings = new Uint32Array(Math.max(...known.map(([, value]) => value)) + 1).fill(-1)
  for (const [key, value] of Object.entries(params)) settings[Number(key)] = value
  return settings
}

// The callback of write(), which is not used.
function neverCalled(): void {}

function asHandles(stream: unknown): ZlibStream {
  const handles = stream as Partial<ZlibStream>
  if (typeof handles._handle?.writeSync !== 'function' || handles._writeState === undefined)
    throw new Error('this Node has other handles in its zlib than the pinned one')
  return handles as ZlibStream
}
