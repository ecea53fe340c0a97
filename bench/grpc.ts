// bench/grpc.ts: the one call of the gRPC load, as the load sends it and as the origin answers it. The messages are
// opaque bytes: a proxy reads none of them.

import http2 from 'node:http2'

export const CALL_PATH = '/bench.Echo/Call'
export const MESSAGE_BYTES = 100
const PREFIX_BYTES = 5 // a flag for compression and the length, before every message
const CALL_TIMEOUT_MS = 5000

export function framed(messageBytes: number): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + messageBytes, 'x')
  frame.writeUInt8(0, 0)
  frame.writeUInt32BE(messageBytes, 1)
  return frame
}

export interface CallEnd {
  readonly status: string // grpc-status; empty when the answer had none
  readonly bytes: number // of the answer's body
}

// One call on a connection of its own, by a client that reads trailers, which h2load doesn't.
export function callOnce(port: number, isSecure: boolean): Promise<CallEnd> {
  const authority = `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`
  return new Promise((resolve, reject) => {
    const session = http2.connect(authority, { rejectUnauthorized: false })
    const give = (error: Error | null, end: CallEnd): void => {
      session.destroy()
      if (error === null) resolve(end)
      else reject(error)
    }
    let end: CallEnd = { status: '', bytes: 0 }
    session.on('error', (error) => give(error, end))
    session.setTimeout(CALL_TIMEOUT_MS, () => give(new Error('no answer within 5 s'), end))
    const call = session.request(callHead)
    call.on('error', (error) => give(error, end))
    // An answer of trailers only carries its status in the head.
    call.on('response', (head) => (end = { ...end, status: String(head['grpc-status'] ?? '') }))
    call.on('trailers', (tail) => (end = { ...end, status: String(tail['grpc-status'] ?? '') }))
    call.on('data', (bytes: Buffer) => (end = { ...end, bytes: end.bytes + bytes.length }))
    call.on('end', () => give(null, end))
    call.end(framed(MESSAGE_BYTES))
  })
}

const callHead = {
  ':method': 'POST',
  ':path': CALL_PATH,
  ':authority': 'bench.test',
  'content-type': 'application/grpc',
  te: 'trailers',
}
