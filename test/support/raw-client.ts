// test/support/raw-client.ts: a client that sends exact bytes and sees exact bytes.
//
// Everything is latin1 text: character i is byte i of the wire. Waiting is always for a condition, never for
// a time; the time that a wait may take only turns a hang into a failure that shows what had arrived.

import net from 'node:net'
import { Wait } from './wait.ts'

export interface Response {
  readonly status: number
  readonly reason: string
  readonly headers: ReadonlyMap<string, string> // names in lower case; lines of one name joined by ", "
  readonly lines: readonly string[] // as they arrived
  readonly body: string
  readonly trailers: readonly string[]
  readonly framing: 'none' | 'length' | 'chunked' | 'close'
}

export class RawClient {
  received = '' // what readResponse() and take() have not consumed yet
  receivedBytes = 0 // in all
  ended = false // the peer half-closed
  closed = false // nothing more can come
  fault = '' // 'ECONNRESET' and the like
  readonly socket: net.Socket
  private readonly wait = new Wait()

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes) => {
      this.received += bytes.latin1Slice()
      this.receivedBytes += bytes.length
      this.wait.look()
    })
    socket.on('drain', () => this.wait.look())
    socket.on('end', () => {
      this.ended = true
      this.wait.look()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => (this.fault = error.code ?? error.message))
    socket.on('close', () => {
      this.closed = true
      this.wait.look()
    })
  }

  send(text: string | Buffer): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
    return this
  }

  // Half-close: no more will be sent, the answer is still wanted.
  end(): this {
    this.socket.end()
    return this
  }

  destroy(): void {
    this.socket.destroy()
  }

  // That the kernel has taken.
  get sentBytes(): number {
    return this.socket.bytesWritten - this.socket.writableLength
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  until(what: string, isThere: () => boolean, withinMs?: number): Promise<void> {
    return this.wait.until(isThere, () => this.describe(what), withinMs)
  }

  untilText(text: string, withinMs?: number): Promise<void> {
    return this.until(JSON.stringify(text), () => this.received.includes(text), withinMs)
  }

  // Nothing more will come: the peer has ended its side, or the connection is gone.
  untilEnded(withinMs?: number): Promise<void> {
    return this.until('the end', () => this.ended || this.closed, withinMs)
  }

  take(length: number): string {
    const text = this.received.slice(0, length)
    this.received = this.received.slice(length)
    return text
  }

  // The next response, informational ones included. `isHead`: it answers a HEAD request.
  async readResponse(isHead = false, withinMs?: number): Promise<Response> {
    const found: { response: Response; length: number }[] = []
    let needed = 0 // so that a long body isn't parsed again for each of its pieces
    await this.until(
      'a response',
      () => {
        const ended = this.ended || this.closed
        if (this.received.length < needed && !ended) return false
        const parsed = parseResponse(this.received, isHead, ended)
        if (parsed !== null) found.push(parsed)
        else needed = isHead ? 0 : lengthNeeded(this.received)
        return parsed !== null || ended
      },
      withinMs,
    )
    const [done] = found
    if (done === undefined) throw new Error(this.describe('a whole response'))
    this.take(done.length)
    return done.response
  }

  private describe(what: string): string {
    const shown = JSON.stringify(this.received.slice(0, 600))
    const state = this.closed ? `closed ${this.fault}` : this.ended ? 'ended' : 'open'
    return `waited for ${what}; the connection is ${state}; ${this.receivedBytes} bytes came, unread: ${shown}`
  }
}

// allowHalfOpen, so that a test sees when the peer ends, and ends itself when it wants to.
export function connectRaw(port: number, host = '127.0.0.1'): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(new RawClient(socket))
    })
  })
}

// null: not complete yet. Throws when what came is no response: a test then shows the bytes.
export function parseResponse(
  text: string,
  isHead: boolean,
  ended: boolean,
): { response: Response; length: number } | null {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [first = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  const start = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(first)
  if (start === null) throw new Error(`not a response: ${JSON.stringify(text.slice(0, 200))}`)
  const status = Number(start[1])
  const headers = headersOf(lines)
  const body = parseBody(text, headEnd + 4, headers, isHead || hasNoBody(status), ended)
  if (body === null) return null
  const response: Response = {
    status,
    reason: start[2] ?? '',
    headers,
    lines,
    body: body.text,
    trailers: body.trailers,
    framing: body.framing,
  }
  return { response, length: body.end }
}

// Head and body of a response with a length; 0 when there is no telling.
function lengthNeeded(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n')
  const length =
    headEnd < 0 ? null : /^content-length: *(\d+)\r$/im.exec(text.slice(0, headEnd + 2))
  return length === null ? 0 : headEnd + 4 + Number(length[1])
}

function headersOf(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : before + ', ' + value)
  }
  return headers
}

function hasNoBody(status: number): boolean {
  return status < 200 || status === 204 || status === 304
}

interface Body {
  readonly text: string
  readonly trailers: readonly string[]
  readonly framing: Response['framing']
  readonly end: number
}

function parseBody(
  text: string,
  from: number,
  headers: ReadonlyMap<string, string>,
  isEmpty: boolean,
  ended: boolean,
): Body | null {
  if (isEmpty) return { text: '', trailers: [], framing: 'none', end: from }
  if (headers.get('transfer-encoding') === 'chunked') return parseChunks(text, from)
  const length = headers.get('content-length')
  if (length !== undefined) {
    const end = from + Number(length)
    if (text.length < end) return null
    return { text: text.slice(from, end), trailers: [], framing: 'length', end }
  }
  if (!ended) return null
  return { text: text.slice(from), trailers: [], framing: 'close', end: text.length }
}

function parseChunks(text: string, from: number): Body | null {
  let body = ''
  let at = from
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const line = text.slice(at, lineEnd)
    if (!/^[0-9a-fA-F]+$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = lineEnd + 2
    if (size === 0) return parseTrailers(text, at, body)
    if (text.length < at + size + 2) return null
    body += text.slice(at, at + size)
    if (text.slice(at + size, at + size + 2) !== '\r\n') throw new Error('chunk without CR LF')
    at += size + 2
  }
}

function parseTrailers(text: string, from: number, body: string): Body | null {
  const trailers: string[] = []
  let at = from
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    if (lineEnd === at) return { text: body, trailers, framing: 'chunked', end: at + 2 }
    trailers.push(text.slice(at, lineEnd))
    at = lineEnd + 2
  }
}
