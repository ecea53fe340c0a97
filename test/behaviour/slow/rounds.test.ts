// Hundreds of clients that send a request piece by piece: they are read in rounds, lose nothing, and hold up nobody.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'
import { requestText } from '../../support/scene.ts'

const CLIENTS = 400 // above MANY of workers/rounds.ts
const LATE_MS = 700 // with a tick of the worker's clock above LATE_MS there

let gateway: Gateway
let origin: HttpOrigin

afterEach(async () => {
  await gateway.stop()
  await origin.stop()
})

const rested = async (): Promise<number> =>
  metricSum((await gateway.admin('/metrics')).body, 'sluice_rested_connections_total')

async function slowClients(text: string): Promise<RawClient[]> {
  origin = await startHttpOrigin((request, response) => {
    let body = ''
    request.on('data', (piece: Buffer) => (body += piece.toString()))
    request.on('end', () => response.end(`${request.headers['x-id']} ${body}`))
  })
  gateway = await startGateway({ routes: routesTo([origin.url]) })
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connectRaw(gateway.port)))
  const begunAt = performance.now()
  for (const client of clients) client.send(text)
  await eventually('the requests to be late', () => performance.now() - begunAt > LATE_MS)
  return clients
}

// Sends a piece of each, until connections rest.
async function untilResting(clients: RawClient[], piece: () => string): Promise<number> {
  let pieces = 0
  await eventually('connections to rest', async () => {
    for (const client of clients) client.send(piece())
    pieces++
    return (await rested()) > 0
  })
  return pieces
}

test('bodies in pieces arrive whole, and a good request is answered meanwhile', async () => {
  const clients = await slowClients(
    'POST / HTTP/1.1\r\nHost: a.test\r\nX-Id: i\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  const pieces = await untilResting(clients, () => '2\r\nab\r\n')
  const good = await connectRaw(gateway.port)
  good.send(requestText())
  expect((await good.readResponse()).status).toBe(200)
  for (const client of clients) client.send('2\r\ncd\r\n')
  for (const client of clients) client.send('0\r\n\r\n')
  for (const client of clients)
    expect((await client.readResponse()).body).toBe(`i ${'ab'.repeat(pieces)}cd`)
  // Kept connections are read at once again.
  clients[0]!.send(requestText())
  expect((await clients[0]!.readResponse()).status).toBe(200)
})

test('heads in pieces are understood, and a client that leaves while it rests is noticed', async () => {
  const clients = await slowClients('GET / HTTP/1.1\r\nHost: a.test\r\n')
  await untilResting(clients, () => 'X-A: b\r\n')
  const gone = clients.splice(0, CLIENTS / 4)
  for (const client of gone) client.destroy()
  for (const [i, client] of clients.entries()) client.send(`X-Id: ${i}\r\n\r\n`)
  for (const [i, client] of clients.entries())
    expect((await client.readResponse()).body).toBe(`${i} `)
  await eventually('the others to be gone', async () => {
    const page = (await gateway.admin('/metrics')).body
    return metricSum(page, 'traefik_open_connections', 'entrypoint="web"') === clients.length
  })
})
