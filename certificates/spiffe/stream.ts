// certificates/spiffe/stream.ts: one call of FetchX509SVID: a stream of messages over gRPC, until it ends.
//
// Owner:  the source (source.ts), which makes a new one after each end. Hot: no: a message per hour.
//
// gRPC without a library: HTTP/2 by node:http2 in clear text, one request whose body is an empty message, and frames of
// five bytes and a message in the response. Workload API, sections 3 and 4: the header is what keeps pages that
// a browser was tricked into asking for away from the socket.

import { Buffer } from 'node:buffer'
import http2 from 'node:http2'
import net from 'node:net'
import type { WorkloadAddress } from '../../config/spiffe.ts'

export interface StreamEvents {
  onMessage(message: Buffer): void
  onEnd(reason: string): void // once; nothing is told afterwards
}

const PATH = '/SpiffeWorkloadAPI/FetchX509SVID'
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024 // gRPC's own default
const FRAME_BYTES = 5
const FIRST_MESSAGE_MS = 30_000 // an agent may have to ask its server first
const statusNames: Readonly<Record<string, string>> = {
  '3': 'INVALID_ARGUMENT',
  '7': 'PERMISSION_DENIED: the agent has no identity for this process',
  '12': 'UNIMPLEMENTED',
  '14': 'UNAVAILABLE',
}

export class SvidStream {
  private readonly session: http2.ClientHttp2Session
  private readonly timer: NodeJS.Timeout
  private readonly events: StreamEvents
  private waiting: Buffer = Buffer.alloc(0)
  private status = ''
  private ended = false

  constructor(address: WorkloadAddress, events: StreamEvents) {
    this.events = events
    const { path, host, port } = address
    this.session = http2.connect('http://localhost', {
      createConnection: () => (path === '' ? net.connect(port, host) : net.connect(path)),
    })
    this.timer = setTimeout(() => this.end('no answer within 30 s'), FIRST_MESSAGE_MS)
    this.session.on('error', (fault) => this.end(reasonOf(fault)))
    this.session.on('close', () => this.end('the connection was closed'))
    this.session.on('goaway', () => this.end('the agent is going away'))
    this.ask()
  }

  close(): void {
    this.end('closed')
  }

  private ask(): void {
    const request = this.session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'workload.spiffe.io': 'true',
    })
    request.on('response', (head) => this.takeHead(head))
    request.on('trailers', (trailers) => this.takeStatus(trailers))
    request.on('data', (bytes: Buffer) => this.take(bytes))
    request.on('error', (fault) => this.end(reasonOf(fault)))
    request.on('end', () => this.end(this.status || 'the stream ended'))
    request.end(Buffer.alloc(FRAME_BYTES)) // not compressed, no bytes
  }

  private takeHead(head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader): void {
    this.takeStatus(head) // an answer of trailers alone
    const type = String(head['content-type'] ?? '')
    if (head[':status'] !== 200 || !type.startsWith('application/grpc'))
      this.end(`the answer is not one of gRPC (status ${head[':status']})`)
  }

  private takeStatus(head: http2.IncomingHttpHeaders): void {
    const status = head['grpc-status']
    if (status === undefined || status === '0') return
    this.status = `gRPC status ${statusNames[String(status)] ?? String(status).slice(0, 3)}`
  }

  private take(bytes: Buffer): void {
    this.waiting = this.waiting.length === 0 ? bytes : Buffer.concat([this.waiting, bytes])
    while (!this.ended && this.waiting.length >= FRAME_BYTES) {
      const length = this.waiting.readUInt32BE(1)
      if (this.waiting[0] !== 0) return this.end('a compressed message, which was not asked for')
      if (length > MESSAGE_BYTES_MAX) return this.end('a message above 4 MiB')
      if (this.waiting.length < FRAME_BYTES + length) return
      const message = this.waiting.subarray(FRAME_BYTES, FRAME_BYTES + length)
      this.waiting = this.waiting.subarray(FRAME_BYTES + length)
      clearTimeout(this.timer)
      this.events.onMessage(message)
    }
  }

  private end(reason: string): void {
    if (this.ended) return
    this.ended = true
    clearTimeout(this.timer)
    this.session.destroy()
    this.events.onEnd(reason)
  }
}

// A request that the end of its connection has ended says what that was as its cause.
function reasonOf(fault: NodeJS.ErrnoException): string {
  const { cause = fault } = fault as { cause?: unknown }
  return (cause as NodeJS.ErrnoException).code ?? fault.code ?? fault.message
}
