// workers/health/http-ask.ts: one request of a check on a connection that is open, and the head of its answer.
//
// Owner:  an HttpProbe (http.ts), in the supervisor's thread. Hot: no. Node's own clients do it: they are loaded when
//         the first check is made, and what a server says is looked at for its status alone.

import type http from 'node:http'
import type http2 from 'node:http2'
import type net from 'node:net'

export interface ProbeRequest {
  readonly method: string
  readonly path: string // with its query
  readonly secure: boolean
  readonly authority: string
  readonly headers: Readonly<Record<string, string>>
  readonly isGrpc: boolean
}

export interface ProbeAnswer {
  readonly fault: string // '' when there is an answer; of gRPC: when it says SERVING
  readonly status: number
  readonly location: string // of a redirect
}

type Answered = (answer: ProbeAnswer) => void

const HEAD_BYTES_MAX = 16 * 1024

function failed(fault: string): ProbeAnswer {
  return { fault, status: 0, location: '' }
}

export function askByHttp1(socket: net.Socket, request: ProbeRequest, done: Answered): void {
  const { method, path, authority, headers } = request
  const { request: send } = process.getBuiltinModule('node:http')
  const asked: http.ClientRequest = send({
    createConnection: () => socket,
    setHost: false,
    maxHeaderSize: HEAD_BYTES_MAX,
    method,
    path,
    headers: { Host: authority, 'User-Agent': 'sluice', ...headers, Connection: 'close' },
  })
  asked.on('response', (response) => {
    response.on('error', () => {}) // its body is nobody's
    response.resume()
    const { location = '' } = response.headers
    done({ fault: '', status: response.statusCode ?? 0, location })
  })
  asked.on('error', (fault: NodeJS.ErrnoException) => done(failed(fault.code ?? fault.message)))
  asked.end()
}

export function askByHttp2(socket: net.Socket, request: ProbeRequest, done: Answered): void {
  const { connect } = process.getBuiltinModule('node:http2')
  const { secure, isGrpc } = request
  const scheme = secure ? 'https' : 'http'
  // The socket is there, and each request says its authority: this URL leads nowhere. Not every host is one to Node.
  const session = connect(`${scheme}://server`, {
    createConnection: () => socket,
    maxSendHeaderBlockLength: HEAD_BYTES_MAX,
  })
  const fail = (fault: NodeJS.ErrnoException) => done(failed(fault.code ?? fault.message))
  session.on('error', fail)
  const stream = session.request(headOf(request, scheme), { endStream: !isGrpc })
  stream.on('error', fail)
  if (isGrpc) return new GrpcHealth(stream, done).ask()
  stream.on('response', (head) => {
    stream.resume()
    done({ fault: '', status: Number(head[':status']), location: String(head['location'] ?? '') })
  })
}

const HEALTH_CHECK = '/grpc.health.v1.Health/Check'

function headOf(
  { method, path, authority, headers, isGrpc }: ProbeRequest,
  scheme: string,
): http2.OutgoingHttpHeaders {
  const own: http2.OutgoingHttpHeaders = { 'user-agent': 'sluice' }
  for (const [name, value] of Object.entries(headers)) own[name.toLowerCase()] = value
  delete own['host']
  delete own['connection']
  if (isGrpc) Object.assign(own, { 'content-type': 'application/grpc', te: 'trailers' })
  return {
    ...own,
    ':scheme': scheme,
    ':authority': authority,
    ':method': isGrpc ? 'POST' : method,
    ':path': isGrpc ? HEALTH_CHECK : path,
  }
}

// ---- grpc.health.v1: an empty request (the whole server), and a message whose field 1 is the status

const EMPTY_MESSAGE = Buffer.alloc(5) // not compressed, of length 0
const MESSAGE_MAX = 1024
const UNIMPLEMENTED = '12'
const servingNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']
const SERVING = 1

class GrpcHealth {
  private readonly stream: http2.ClientHttp2Stream
  private readonly done: Answered
  private got = Buffer.alloc(0)
  private status = '' // grpc-status, of the head or the trailers

  constructor(stream: http2.ClientHttp2Stream, done: Answered) {
    this.stream = stream
    this.done = done
  }

  ask(): void {
    const { stream } = this
    stream.on('response', (head) => {
      const status = Number(head[':status'])
      if (status !== 200) return this.done(failed(`it answered ${status}`))
      this.takeStatus(head)
    })
    stream.on('trailers', (trailers) => this.takeStatus(trailers))
    stream.on('data', (bytes: Buffer) => {
      if (this.got.length + bytes.length > MESSAGE_MAX)
        return this.done(failed('a longer answer than the health protocol has'))
      this.got = Buffer.concat([this.got, bytes])
    })
    stream.on('end', () => this.judge())
    stream.end(EMPTY_MESSAGE)
  }

  private takeStatus(head: http2.IncomingHttpHeaders): void {
    if (head['grpc-status'] !== undefined) this.status = String(head['grpc-status'])
  }

  private judge(): void {
    if (this.status === UNIMPLEMENTED)
      return this.done(failed('it does not implement the health protocol'))
    if (this.status !== '0') return this.done(failed(`gRPC status ${this.status || 'missing'}`))
    const serving = servingStatusOf(this.got)
    const name = servingNames[serving] ?? 'another status'
    this.done(serving === SERVING ? { fault: '', status: 200, location: '' } : failed(name))
  }
}

// -1: no such message. Only that one field is looked for, which stands alone in it (protobuf, varint of one byte).
function servingStatusOf(bytes: Buffer): number {
  if (bytes.length < 5 || bytes[0] !== 0) return -1
  const length = bytes.readUInt32BE(1)
  if (bytes.length !== 5 + length) return -1
  if (length === 0) return 0
  return bytes[5] === 0x08 && length === 2 ? bytes[6]! : -1
}
