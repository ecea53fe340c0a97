// bench/origin-process.ts: our own origin: raw sockets, answers made beforehand, request bodies read to their
// end before the answer goes out. Not a server for anything else: it believes what the peer under test sends.

import net from 'node:net'
import { LARGE_BODIES, SMALL_BODY } from './origin.ts'

const LENGTH = /\r\ncontent-length:[ \t]*(\d+)/i
const small = answerOf(Buffer.from(SMALL_BODY))
const large = new Map<string, Buffer>()
for (const [name, bytes] of Object.entries(LARGE_BODIES))
  large.set(name, answerOf(Buffer.alloc(bytes, 'x')))

large.set('/cacheable', answerOf(Buffer.from(SMALL_BODY), 'Cache-Control: max-age=3600\r\n'))

function answerOf(body: Buffer, more = ''): Buffer {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${more}Content-Length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

class Connection {
  socket: net.Socket
  rest = '' // bytes of a head that has not ended
  bodyLeft = 0
  chunkedTail = '' // last bytes of a chunked body; empty outside one
  isChunked = false
  answer: Buffer = small

  constructor(socket: net.Socket) {
    this.socket = socket
  }

  onBytes(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) at = this.step(bytes, at)
  }

  // Takes one head or a piece of one body and returns where the next begins.
  step(bytes: Buffer, at: number): number {
    if (this.isChunked) return this.readChunked(bytes, at)
    if (this.bodyLeft > 0) {
      const taken = Math.min(this.bodyLeft, bytes.length - at)
      this.bodyLeft -= taken
      if (this.bodyLeft === 0) this.socket.write(this.answer)
      return at + taken
    }
    return this.readHead(bytes, at)
  }

  readHead(bytes: Buffer, at: number): number {
    const text = this.rest + bytes.toString('latin1', at, bytes.length)
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) {
      this.rest = text
      return bytes.length
    }
    const head = text.slice(0, end)
    const next = at + end + 4 - this.rest.length
    this.rest = ''
    this.answer = large.get(head.slice(head.indexOf(' ') + 1, head.indexOf(' HTTP/'))) ?? small
    this.isChunked = /\r\ntransfer-encoding:[ \t]*chunked/i.test(head)
    this.bodyLeft = this.isChunked ? 0 : Number(LENGTH.exec(head)?.[1] ?? 0)
    if (!this.isChunked && this.bodyLeft === 0) this.socket.write(this.answer)
    return next
  }

  // The load's bodies are all 'x', so the last chunk can be found by its text.
  readChunked(bytes: Buffer, at: number): number {
    const text = this.chunkedTail + bytes.toString('latin1', at, bytes.length)
    const end = text.indexOf('0\r\n\r\n')
    const isLast = end >= 0 && (end === 0 || text.charCodeAt(end - 1) === 10)
    if (!isLast) {
      this.chunkedTail = text.slice(-8)
      return bytes.length
    }
    const next = at + end + 5 - this.chunkedTail.length
    this.chunkedTail = ''
    this.isChunked = false
    this.socket.write(this.answer)
    return next
  }
}

const server = net.createServer({ noDelay: true, highWaterMark: 256 * 1024 }, (socket) => {
  const connection = new Connection(socket)
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => connection.onBytes(bytes))
})
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
