// workers/log-file.ts: a file (or stdout) that takes the access log of all workers.
//
// Owner:  the supervisor. Hot: no; one write carries some 32 KiB of lines.
//
// Lines wait in a bounded queue and one loop writes them, so a disk that is full, failing or read-only costs
// requests nothing: the loop tries again every second, what does not fit into the queue is counted in
// `lostLines`, and what did fit is written once the disk takes it again.
//
// This is not sonic-boom, which pino uses for the operational log: after a reopen that failed it closes the
// same descriptor twice, and it can't say how many lines a chunk that it dropped had.

import { Buffer } from 'node:buffer'
import { close, open, write } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { timerMs } from '../core/timer-ms.ts'

const openFile = promisify(open)
const closeFile = promisify(close)
const writeFile = promisify(write)

export const QUEUE_BYTES_MAX = 16 * 1024 * 1024
const RETRY_MS = 1000
const BUSY_MS = 20 // a pipe that is full for the moment
const CLOSE_MS = 2000 // how long close() goes on trying
const STDOUT = 1
const NEWLINE = 10

export interface LogFileOptions {
  readonly queueBytesMax?: number
  readonly retryMs?: number
  readonly mode?: number
  // Said once when writing begins to fail, and once when it succeeds again.
  readonly onFault?: (message: string) => void
  readonly onRecovery?: () => void
}

interface Chunk {
  readonly bytes: Buffer
  readonly count: number
}

export class LogFile {
  lostLines = 0
  private readonly path: string | null
  private readonly options: LogFileOptions
  private readonly queueBytesMax: number
  private readonly queue: Chunk[] = []
  private queuedBytes = 0
  private written = 0 // bytes of queue[0] that are out
  private fd = -1
  private reopening = false // a new file is wanted; the old one is used until it is open
  private failing = false
  private closing = false
  private active = false // the loop runs
  private ended: Promise<void> = Promise.resolve() // of the loop that began last
  private wake: (() => void) | null = null // ends a pause early

  constructor(path: string | null, options: LogFileOptions = {}) {
    this.path = path
    this.options = options
    this.queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX
    if (path === null) this.fd = STDOUT
    else this.start() // so that a path that can't be opened is told at once
  }

  write(lines: string, count: number): void {
    const bytes = Buffer.from(lines)
    if (this.closing || this.queuedBytes + bytes.length > this.queueBytesMax) {
      this.lostLines += count
      return
    }
    this.queue.push({ bytes, count })
    this.queuedBytes += bytes.length
    this.start()
  }

  // Lines that are waiting go to the file that now has the name. Nothing is lost on the way.
  reopen(): void {
    if (this.path === null || this.closing) return
    this.reopening = true
    this.wake?.()
    this.start()
  }

  // Writes what is waiting, for two seconds at the most.
  async close(): Promise<void> {
    this.closing = true
    const deadline = setTimeout(() => this.giveUp(), CLOSE_MS)
    this.wake?.()
    await this.ended
    clearTimeout(deadline)
    if (this.fd > STDOUT) await closeFile(this.fd).catch(() => undefined)
    this.fd = -1
  }

  private start(): void {
    if (this.active) return
    this.active = true
    this.ended = this.run()
  }

  private async run(): Promise<void> {
    while (this.hasWork()) {
      const openFault = await this.openIfWanted()
      const fault = this.fd >= 0 ? await this.writeFirst() : openFault
      if (fault !== null) await this.wait(fault)
      else if (openFault !== null && this.queue.length === 0) await this.wait(openFault)
      else if (openFault === null) this.recovered()
    }
    this.active = false // in the same turn as the look at the queue: no write falls in between
  }

  private hasWork(): boolean {
    if (this.queue.length > 0) return true
    return this.reopening || (this.fd < 0 && !this.closing)
  }

  // The error when there is no file to write to. A file that can't be reopened goes on with the old one.
  private async openIfWanted(): Promise<NodeJS.ErrnoException | null> {
    if (this.path === null || (this.fd >= 0 && !this.reopening)) return null
    try {
      await mkdir(dirname(this.path), { recursive: true })
      const fd = await openFile(this.path, 'a', this.options.mode ?? 0o640)
      const before = this.fd
      this.fd = fd
      this.reopening = false
      this.rewindLine()
      if (before > STDOUT) await closeFile(before).catch(() => undefined)
      return null
    } catch (error) {
      if (this.closing) this.reopening = false
      return error as NodeJS.ErrnoException
    }
  }

  // A line that is half written to the old file is written whole to the new one.
  private rewindLine(): void {
    const first = this.queue[0]
    if (first === undefined || this.written === 0) return
    this.written = first.bytes.lastIndexOf(NEWLINE, this.written - 1) + 1
  }

  private async writeFirst(): Promise<NodeJS.ErrnoException | null> {
    const first = this.queue[0]
    if (first === undefined) return null
    try {
      const left = first.bytes.length - this.written
      const { bytesWritten } = await writeFile(this.fd, first.bytes, this.written, left, null)
      if (this.queue[0] !== first) return null // given up meanwhile
      this.written += bytesWritten
      if (this.written === first.bytes.length) this.dropFirst()
      return null
    } catch (error) {
      return error as NodeJS.ErrnoException
    }
  }

  private dropFirst(): void {
    this.queuedBytes -= this.queue.shift()!.bytes.length
    this.written = 0
  }

  private async wait(fault: NodeJS.ErrnoException): Promise<void> {
    const busy = fault.code === 'EAGAIN'
    if (!busy && !this.failing) {
      this.failing = true
      this.options.onFault?.(`${this.path ?? 'stdout'}: ${fault.code ?? fault.message}`)
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(
        resolve,
        timerMs(busy ? BUSY_MS : (this.options.retryMs ?? RETRY_MS)),
      )
      timer.unref()
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.wake = null
  }

  private recovered(): void {
    if (!this.failing) return
    this.failing = false
    this.options.onRecovery?.()
  }

  private giveUp(): void {
    for (const { count } of this.queue) this.lostLines += count
    this.queue.length = 0
    this.queuedBytes = 0
    this.written = 0
    this.reopening = false
    this.wake?.()
  }
}
