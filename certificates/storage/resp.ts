// certificates/storage/resp.ts: a client for Redis and Valkey that knows RESP2, one connection and a handful of
// commands: what a store of certificates needs, bounded in bytes and time. Hot: no.
//
// Commands are answered in the order in which they were sent. A connection that breaks fails what is open; the next
// command opens another.

import { Buffer } from 'node:buffer'
import net from 'node:net'
import tls from 'node:tls'

export type Reply = string | number | null | readonly Reply[]

export class RedisError extends Error {}

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly username: string // '' for none
  readonly password: string // secret
  readonly database: number
}

const TIMEOUT_MS = 5000
const REPLY_BYTES_MAX = 64 * 1024 * 1024
const DEPTH_MAX = 4
const ITEMS_MAX = 100_000

interface Waiting {
  readonly resolve: (reply: Reply) => void
  readonly reject: (fault: Error) => void
}

export class RedisClient {
  private readonly address: RedisAddress
  private connection: Promise<Connection> | null = null

  constructor(address: RedisAddress) {
    this.address = address
  }

  async command(...words: readonly string[]): Promise<Reply> {
    this.connection ??= this.open()
    const connection = await this.connection.catch((fault: unknown) => {
      this.connection = null
      throw fault
    })
    return connection.send(words)
  }

  private async open(): Promise<Connection> {
    const { username, password, database } = this.address
    const connection = new Connection(this.address, () => {
      this.connection = null
    })
    if (password !== '')
      await connection.send(username === '' ? ['AUTH', password] : ['AUTH', username, password])
    if (database !== 0) await connection.send(['SELECT', String(database)])
    return connection
  }

  async close(): Promise<void> {
    const connection = await this.connection?.catch(() => null)
    connection?.end()
  }
}

class Connection {
  private readonly socket: net.Socket
  private readonly waiting: Waiting[] = []
  private readonly place: string
  private readonly onClosed: () => void
  private received: Buffer[] = []
  private receivedBytes = 0
  private wantedBytes = 1 // no use in parsing before there are as many

  constructor({ host, port, tls: isTls }: RedisAddress, onClosed: () => void) {
    this.place = `${host}:${port}`
    this.onClosed = onClosed
    const name = net.isIP(host) === 0 ? { servername: host } : {}
    this.socket = isTls ? tls.connect({ host, port, ...name }) : net.connect({ host, port })
    this.socket.setNoDelay(true)
    this.socket.on('data', (chunk: Buffer) => this.read(chunk))
    this.socket.once('error', (fault) => this.fail(fault.message))
    this.socket.once('close', () => this.fail('the connection was closed'))
    this.socket.setTimeout(TIMEOUT_MS, () => this.silent())
    this.socket.unref()
  }

  send(words: readonly string[]): Promise<Reply> {
    if (this.socket.destroyed) return Promise.reject(new RedisError(`${this.place}: closed`))
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
      this.socket.ref()
      this.socket.write(encodeCommand(words))
    })
  }

  end(): void {
    this.fail('the connection was closed')
  }

  private silent(): void {
    if (this.waiting.length > 0) this.fail('no answer in time')
  }

  private fail(says: string): void {
    this.onClosed()
    this.socket.destroy()
    for (const { reject } of this.waiting.splice(0))
      reject(new RedisError(`${this.place}: ${says}`))
  }

  private read(chunk: Buffer): void {
    this.received.push(chunk)
    this.receivedBytes += chunk.length
    if (this.receivedBytes > REPLY_BYTES_MAX) return this.fail('the answer is too long')
    if (this.receivedBytes < this.wantedBytes) return
    try {
      this.answerAll(Buffer.concat(this.received))
    } catch (fault) {
      this.fail(fault instanceof Error ? fault.message : String(fault))
    }
  }

  private answerAll(bytes: Buffer): void {
    let at = 0
    this.wantedBytes = 1
    while (at < bytes.length) {
      const parsed = parseReply(bytes, at, 0)
      if (typeof parsed === 'number') {
        this.wantedBytes = parsed - at
        break
      }
      at = parsed.end
      this.answer(parsed.reply)
    }
    const rest = bytes.subarray(at)
    this.received = rest.length === 0 ? [] : [rest]
    this.receivedBytes = rest.length
    if (this.waiting.length === 0) this.socket.unref()
  }

  private answer(reply: Reply | RedisError): void {
    const first = this.waiting.shift()
    if (first === undefined) throw new RedisError('an answer that nobody asked for')
    if (reply instanceof RedisError) first.reject(new RedisError(`${this.place}: ${reply.message}`))
    else first.resolve(reply)
  }
}

export function encodeCommand(words: readonly string[]): Buffer {
  const parts = [Buffer.from(`*${words.length}\r\n`)]
  for (const word of words) {
    const bytes = Buffer.from(word, 'utf8')
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

// A number: so many bytes are needed at least, before another try.
type Parsed<T> = { readonly reply: T; readonly end: number } | number

export function parseReply(bytes: Buffer, at: number, depth: number): Parsed<Reply | RedisError> {
  const lineEnd = bytes.indexOf('\r\n', at, 'latin1')
  if (lineEnd < 0) {
    if (bytes.length - at > 64 * 1024) throw new RedisError('a line of the answer is too long')
    return bytes.length + 1
  }
  const kind = String.fromCharCode(bytes[at]!)
  const text = bytes.toString('utf8', at + 1, lineEnd)
  const end = lineEnd + 2
  if (kind === '+') return { reply: text, end }
  if (kind === '-') return { reply: new RedisError(text.slice(0, 200)), end }
  if (!/^(?:-1|-?\d{1,15})$/.test(text)) throw new RedisError('the answer is not of RESP2')
  const number = Number(text)
  if (kind === ':') return { reply: number, end }
  if (kind === '$') return parseText(bytes, end, number)
  if (kind === '*') return parseItems(bytes, end, number, depth)
  throw new RedisError('the answer is not of RESP2')
}

function parseText(bytes: Buffer, at: number, length: number): Parsed<string | null> {
  if (length < 0) return { reply: null, end: at }
  if (length > REPLY_BYTES_MAX) throw new RedisError('the answer is too long')
  const end = at + length + 2
  return end > bytes.length ? end : { reply: bytes.toString('utf8', at, at + length), end }
}

function parseItems(
  bytes: Buffer,
  start: number,
  count: number,
  depth: number,
): Parsed<readonly Reply[] | null> {
  if (count < 0) return { reply: null, end: start }
  if (count > ITEMS_MAX || depth >= DEPTH_MAX) throw new RedisError('the answer is too long')
  const items: Reply[] = []
  let at = start
  for (let i = 0; i < count; i++) {
    if (at >= bytes.length) return bytes.length + 1
    const item = parseReply(bytes, at, depth + 1)
    if (typeof item === 'number') return item
    if (item.reply instanceof RedisError) throw item.reply
    items.push(item.reply)
    at = item.end
  }
  return { reply: items, end: at }
}
