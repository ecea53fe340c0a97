// bench/load/contract.ts: what a load is, and what every generator reports about it.

export interface RequestShape {
  readonly method: 'GET' | 'POST'
  readonly host: string
  readonly path: string
  readonly bodyBytes: number
  readonly headers?: string // further lines; own only
  readonly grpc?: GrpcShape // h2load only
}

// A unary call: its message, and how long the answer's body must be.
export interface GrpcShape {
  readonly message: string // bytes as latin1
  readonly answerBytes: number
}

// The last three are processes of our own that each make one kind of load.
export type Generator = 'wrk' | 'own' | 'autocannon' | 'h2load' | 'tls-resume' | 'websocket' | 'udp'

export interface LoadPlan {
  readonly generator: Generator
  readonly port: number
  readonly isSecure: boolean // TLS; wrk, h2load and tls-resume only
  readonly streams: number // at once on each connection; above 1 with h2load only
  readonly connections: number
  readonly seconds: number
  readonly requests: readonly RequestShape[] // taken in turn
  readonly isClosing: boolean // one connection per request
  readonly ratePerSecond: number // 0: each connection sends as soon as it has its answer
}

export interface LoadResult {
  readonly requests: number // complete answers below status 400
  readonly seconds: number
  readonly failedStatus: number // complete answers from status 400 on
  readonly failedConnections: number // refused, reset or cut off before the answer was complete
  readonly timeouts: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

export const smallRequest: RequestShape = {
  method: 'GET',
  host: 'bench.test',
  path: '/',
  bodyBytes: 0,
}

export function failuresOf(result: LoadResult): number {
  return result.failedStatus + result.failedConnections + result.timeouts
}

// The bytes of one request, as the peers get them from every generator.
export function requestBytes(shape: RequestShape, isClosing: boolean): Buffer {
  const head =
    `${shape.method} ${shape.path} HTTP/1.1\r\nHost: ${shape.host}\r\n` +
    (isClosing ? 'Connection: close\r\n' : '') +
    (shape.headers ?? '') +
    (shape.method === 'POST' ? `Content-Length: ${shape.bodyBytes}\r\n` : '') +
    '\r\n'
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.alloc(shape.bodyBytes, 'x')])
}
