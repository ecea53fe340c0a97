// test/support/frame-server.ts: a server of HTTP/2 that sends exact frames, lawful or not.

import net, { type AddressInfo, type Socket } from 'node:net'
import { Wait } from './wait.ts'

export const DATA = 0
export const HEADERS = 1
export const RST_STREAM = 3
export const SETTINGS = 4
export const PING = 6
export const GOAWAY = 7
export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

// Fields as literals without index: [name, value] in latin1, whatever they hold.
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap((f) => [Buffer.of(0), text(f[0]), text(f[1])]))
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  const { length } = bytes
  if (length < 127) return Buffer.concat([Buffer.of(length), bytes])
  const size = [127]
  let rest = length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) size.push((rest % 128) | 128)
  return Buffer.concat([Buffer.from([...size, rest]), bytes])
}

const PREFACE_BYTES = 24

// One connection that the gateway has opened.
export class FrameConnection {
  readonly frames: Frame[] = []
  answersPings = true
  private received = Buffer.alloc(0)
  private greeted = false
  readonly socket: Socket
  private readonly onFrame: (connection: FrameConnection, frame: Frame) => void

  constructor(socket: Socket, onFrame: FrameConnection['onFrame']) {
    this.socket = socket
    this.onFrame = onFrame
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => this.take(bytes))
  }

  send(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  private take(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes])
    if (!this.greeted) {
      if (this.received.length < PREFACE_BYTES) return
      this.greeted = true
      this.received = this.received.subarray(PREFACE_BYTES)
      this.send(frame(SETTINGS, 0, 0, Buffer.alloc(0)))
    }
    for (;;) {
      const { received } = this
      if (received.length < 9) return
      const length = received.readUIntBE(0, 3)
      if (received.length < 9 + length) return
      const [type, flags, stream] = [received[3]!, received[4]!, received.readUInt32BE(5)]
      const payload = Buffer.from(received.subarray(9, 9 + length))
      this.received = received.subarray(9 + length)
      this.answer({ type, flags, stream, payload })
    }
  }

  private answer(got: Frame): void {
    this.frames.push(got)
    const isAck = (got.flags & ACK) !== 0
    if (got.type === SETTINGS && !isAck) this.send(frame(SETTINGS, ACK, 0, Buffer.alloc(0)))
    if (got.type === PING && !isAck && this.answersPings)
      this.send(frame(PING, ACK, 0, got.payload))
    this.onFrame(this, got)
  }
}

export interface FrameServer {
  readonly url: string
  readonly connections: readonly FrameConnection[]
  until(what: string, isThere: () => boolean): Promise<void>
  stop(): Promise<void>
}

// `onFrame` is called for each frame that the gateway sends.
export async function startFrameServer(
  onFrame: (connection: FrameConnection, frame: Frame) => void,
): Promise<FrameServer> {
  const connections: FrameConnection[] = []
  const wait = new Wait()
  const server = net.createServer((socket) => {
    const connection = new FrameConnection(socket, (from, got) => {
      onFrame(from, got)
      wait.look()
    })
    connections.push(connection)
    socket.on('close', () => wait.look())
    wait.look()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `h2c://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    until: (what, isThere) => wait.until(isThere, () => what),
    stop: () =>
      new Promise((resolve) => {
        for (const { socket } of connections) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
