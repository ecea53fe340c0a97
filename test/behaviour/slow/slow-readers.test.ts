// A client that reads slowly gets exactly its own bytes, however its writes had to wait, and holds up nobody.

import { createHash } from 'node:crypto'
import net from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Gateway, freePorts, routesTo, startGateway } from '../../support/gateway.ts'
import { startHttpOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const SIZE = 12 * 1024 * 1024 // more than the kernel keeps for one connection on loopback
const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

// Different for each id at every place, so that a byte of another body, or of another part, shows.
function bodyOf(id: number): Buffer {
  const body = Buffer.allocUnsafe(SIZE)
  for (let i = 0; i < SIZE; i += 4) body.writeUInt32LE((Math.imul(i, 2654435761) ^ id) >>> 0, i)
  return body
}

async function gatewayTo(url: string): Promise<Gateway> {
  const gateway = await startGateway({ routes: routesTo([url]) })
  stops.push(() => gateway.stop())
  return gateway
}

interface Reader {
  readonly socket: net.Socket
  body(): Promise<Buffer>
}

// Asks, takes the first bytes, and then reads no more until body() is called.
async function slowReader(port: number, request: string): Promise<Reader> {
  const socket = net.connect(port, '127.0.0.1')
  stops.push(() => socket.destroy())
  socket.write(request)
  const chunks: Buffer[] = []
  await new Promise<void>((resolve) =>
    socket.once('data', (chunk) => resolve(void chunks.push(chunk))),
  )
  socket.pause()
  const body = (): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('error', reject)
      socket.on('end', () => {
        const all = Buffer.concat(chunks)
        resolve(all.subarray(all.indexOf('\r\n\r\n') + 4))
      })
      socket.resume()
    })
  return { socket, body }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

test('every slow reader gets its own body, byte for byte, while others are served', async () => {
  const origin = await startHttpOrigin((request, response) => {
    const id = Number(request.url!.slice(1))
    if (Number.isNaN(id)) return void response.end('x'.repeat(6000))
    response.writeHead(200, { 'Content-Length': SIZE })
    response.end(bodyOf(id))
  })
  stops.push(() => origin.stop())
  const gateway = await gatewayTo(origin.url)
  const ids = [1, 2, 3, 4, 5, 6]
  const ask = (id: number) => `GET /${id} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`
  const readers = await Promise.all(ids.map((id) => slowReader(gateway.port, ask(id))))
  // Meanwhile the shared buffers of the worker are written over and over.
  for (let i = 0; i < 400; i++) {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/other`)
    expect((await answer.text()).length).toBe(6000)
  }
  const bodies = await Promise.all(readers.map((reader) => reader.body()))
  bodies.forEach((body, i) => expect(hashOf(body), `body ${ids[i]}`).toBe(hashOf(bodyOf(ids[i]!))))
})

test('every upload to a slow server arrives byte for byte', async () => {
  const seen = new Map<string, string>()
  const origin = await startHttpOrigin((request, response) => {
    if (request.url === '/other') return void response.end('x'.repeat(6000))
    const hash = createHash('sha256')
    setTimeout(() => request.resume(), 300) // slow on purpose: the gateway has to wait with what it read
    request.pause()
    request.on('data', (chunk: Buffer) => hash.update(chunk))
    request.pause()
    request.on('end', () => {
      seen.set(request.url!, hash.digest('hex'))
      response.end('ok')
    })
  })
  stops.push(() => origin.stop())
  const gateway = await gatewayTo(origin.url)
  const ids = [1, 2, 3, 4]
  const uploads = ids.map((id) =>
    fetch(`http://127.0.0.1:${gateway.port}/${id}`, { method: 'PUT', body: bodyOf(id) }),
  )
  for (let i = 0; i < 300; i++) await (await fetch(`http://127.0.0.1:${gateway.port}/other`)).text()
  for (const upload of uploads) expect((await upload).status).toBe(200)
  for (const id of ids) expect(seen.get(`/${id}`), `upload ${id}`).toBe(hashOf(bodyOf(id)))
})

test('a small upload in one piece to a server that is down is answered at once, and the connection goes on', async () => {
  const [port = 0] = await freePorts(1)
  const gateway = await gatewayTo(`http://127.0.0.1:${port}`)
  const client = await connectRaw(gateway.port)
  for (let i = 0; i < 3; i++) {
    client.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello')
    expect((await client.readResponse()).status).toBe(502)
  }
  client.destroy()
})

test('a head that waits for 100 Continue is sent on to a server that has to be dialled first', async () => {
  const origin = await startHttpOrigin((request, response) => {
    request.resume()
    request.on('end', () => response.end('done'))
  })
  stops.push(() => origin.stop())
  const gateway = await gatewayTo(origin.url)
  const client = await connectRaw(gateway.port)
  client.send(
    'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
  )
  await client.untilText('HTTP/1.1 100 Continue\r\n\r\n')
  client.send('hello')
  await client.untilText('done')
  client.destroy()
})

test('a client that pipelines and never reads is paused, and the memory of the gateway stays bounded', async () => {
  const gateway = await startGateway({
    routes: {},
    web: { transport: { limits: { bufferedBytesMax: 65_536 } } },
  })
  stops.push(() => gateway.stop())
  const socket = net.connect(gateway.port, '127.0.0.1')
  stops.push(() => socket.destroy())
  socket.on('error', () => {})
  const requests = 'GET /nothing HTTP/1.1\r\nHost: a.test\r\n\r\n'.repeat(2000)
  let sent = 0
  const push = (): void => {
    while (sent < 400 && socket.write(requests)) sent++
  }
  socket.on('drain', push)
  push()
  // It stands still: what was written is no longer taken.
  let before = -1
  await eventually('the gateway to take no more', () => {
    const stands =
      socket.bytesWritten - socket.writableLength === before && socket.writableLength > 0
    before = socket.bytesWritten - socket.writableLength
    return stands
  })
  expect(sent).toBeLessThan(400)
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/nothing`)
  expect(answer.status).toBe(404)
})
