// test/behaviour/tls/handshakes-child.ts: makes thousands of TLS connections to itself and says what memory that left.
//
// argv: how many connections, certificate file, key file. Prints one line of JSON. Run with --expose-gc.

import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { secureClient, secureServer, type SecureSocket } from '../../../workers/secure-socket.ts'
import { dialTcp } from '../../../workers/dial-socket.ts'
import { type Handle, Socket } from '../../../workers/socket.ts'

const [count, certFile, keyFile] = [
  Number(process.argv[2]),
  process.argv[3]!,
  process.argv[4]!,
] as const
const cert = readFileSync(certFile, 'utf8')
const server = {
  context: tls.createSecureContext({ cert, key: readFileSync(keyFile, 'utf8'), ca: [] }),
  alpn: null,
  clientAuth: 'NoClientCert',
  ocsp: null,
  timeoutMs: 10_000,
} as const
const client = {
  context: tls.createSecureContext({ ca: cert }),
  serverName: 'a.example',
  identity: {
    host: '',
    insecure: true,
    sans: [],
    spiffeIds: [],
    spiffeTrustDomain: '',
    trustDomains: null,
  },
  alpn: null,
  session: null,
  onSession: null,
  timeoutMs: 10_000,
} as const

const AT_ONCE = 16
let begun = 0
let ended = 0
let answered = 0
let port = 0
const rss: number[] = []

// Every third client leaves before its handshake is done.
function serve(socket: SecureSocket, code: number): void {
  if (code !== 0) return
  socket.owner = {
    onBytes(): void {
      socket.writeText('answer')
      socket.end()
    },
    onEnd: () => socket.close(),
    onGone() {},
    onWritable() {},
  }
  socket.resume()
}

function over(): void {
  ended++
  if (ended % (count / 10) === 0) setImmediate(measure)
  if (begun < count) next()
}

function next(): void {
  const number = begun++
  const nobody = { onBytes() {}, onEnd() {}, onGone() {}, onWritable() {} }
  dialTcp(nobody, '127.0.0.1', port, (raw) => {
    const secured = secureClient(raw, client, (socket, code) => {
      if (code !== 0) return over()
      socket.owner = {
        onBytes: () => void answered++,
        onEnd(): void {
          socket.close()
          over()
        },
        onGone: over,
        onWritable() {},
      }
      socket.resume()
      socket.writeText('question')
    })
    if (number % 3 !== 0) return
    secured.close()
    over()
  })
}

function measure(): void {
  globalThis.gc!()
  rss.push(process.memoryUsage.rss())
  if (ended < count) return
  console.log(JSON.stringify({ ended, answered, rss }))
  process.exit(0)
}

const listener = net.createServer()
listener.listen(0, '127.0.0.1', () => {
  const { _handle } = listener as unknown as { _handle: { onconnection: unknown } }
  _handle.onconnection = (_fault: number, handle: Handle): void => {
    secureServer(new Socket(handle, null), null, server, serve)
  }
  port = (listener.address() as net.AddressInfo).port
  for (let i = 0; i < AT_ONCE; i++) next()
})
