// Uploads to servers that do not read: the client is held by its windows, the gateway holds little, and when the servers
// read on, everything arrives.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'

const UPLOADS = 6
const BYTES = 24 * 1024 * 1024 // more than all buffers of the kernel on the way

let server: http.Server
let gateway: Gateway
const held: (() => void)[] = [] // lets the server read

beforeAll(async () => {
  server = http.createServer((request, response) => {
    if (request.method === 'GET') return void response.end('free')
    request.pause()
    held.push(() => {
      const hash = createHash('sha256')
      request.on('data', (piece: Buffer) => hash.update(piece))
      request.on('end', () => response.end(hash.digest('hex')))
      request.resume()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  gateway = await startGateway({
    routes: routesTo([`http://127.0.0.1:${port}`]),
    web: { transport: { limits: { bufferedBytesMax: 65_536 } } },
  })
})
afterAll(async () => {
  await gateway.stop()
  server.closeAllConnections()
  server.close()
})

function rss(): number {
  return Number(
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${gateway.child.pid!}/status`, 'latin1'))![1],
  )
}

function upload(session: http2.ClientHttp2Session, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    let told = ''
    stream.on('data', (piece: Buffer) => (told += piece.toString()))
    stream.on('end', () => resolve(told))
    stream.on('error', reject)
    stream.end(body)
  })
}

test(
  'uploads wait for servers that do not read, and arrive whole when they do',
  { timeout: 60_000 },
  async () => {
    const options = { maxSessionMemory: 1000 } // of the client
    const session = http2.connect(`http://127.0.0.1:${gateway.port}`, options)
    const memory = rss()
    const bodies = Array.from({ length: UPLOADS }, (_, i) => Buffer.alloc(BYTES, i + 65))
    const answers = bodies.map((body) => upload(session, body))
    await eventually('all requests to be there', () => held.length === UPLOADS)
    let before = -1
    await eventually('the client to be held', async () => {
      const { remoteWindowSize = 0 } = session.state
      await new Promise((resolve) => setTimeout(resolve, 300)) // looks twice, with time in between
      const isStill = remoteWindowSize === before
      before = remoteWindowSize
      return isStill
    })
    expect(rss() - memory).toBeLessThan(64 * 1024)
    for (const go of held) go()
    const hashes = bodies.map((body) => createHash('sha256').update(body).digest('hex'))
    expect(await Promise.all(answers)).toEqual(hashes)
    session.close()
  },
)
