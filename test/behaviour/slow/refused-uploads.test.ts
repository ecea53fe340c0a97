// A request that is answered while its client still sends: the answer is there when the client is through and looks.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { type RawClient, type Response, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'

const LENGTH = 16 * 1024 * 1024 // more than sockets hold, so the end is taken only if it is read
const POST = `POST /N HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${LENGTH}\r\n`

const one = (name: string) => ({
  rule: `Path(\`/${name}\`)`,
  middlewares: [name],
  service: 'noop@internal',
})

function routes(): Keys {
  return {
    http: {
      routers: { auth: one('auth'), limit: one('limit') },
      middlewares: {
        auth: { basicAuth: { users: ['test:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/'] } },
        limit: { buffering: { maxRequestBodyBytes: 1000 } },
      },
    },
  }
}

// As most clients do that are not told to wait: all of the body first, then the answer.
async function sendThenRead(client: RawClient, head: string): Promise<Response> {
  client.socket.pause()
  client.send(head)
  const written = new Promise<unknown>((resolve) => {
    client.socket.write(Buffer.alloc(LENGTH), resolve)
  })
  expect(await written).toBeFalsy()
  client.socket.resume()
  return client.readResponse()
}

describe('engine node', () => {
  let gateway: Gateway
  beforeAll(async () => {
    gateway = await startGateway({ routes: routes(), workers: 1 })
  })
  afterAll(() => gateway.stop())

  for (const [what, status, head] of [
    ['a refused head', 400, `${POST}Content-Length: 3\r\n\r\n`],
    ['no router', 404, `${POST}\r\n`],
    ['no credentials', 401, `${POST.replace('N', 'auth')}\r\n`],
    ['a body that is too long', 413, `${POST.replace('N', 'limit')}\r\n`],
  ] as const) {
    test(`${what}: the answer reaches a client that sends 16 MiB first`, async () => {
      const client = await connectRaw(gateway.port)
      const response = await sendThenRead(client, head)
      expect([response.status, response.headers.get('connection')]).toEqual([status, 'close'])
      client.destroy()
    })
  }

  test('so does that to a refused head on a connection that was in use before', async () => {
    const client = await connectRaw(gateway.port)
    client.send(requestText())
    expect((await client.readResponse()).status).toBe(404)
    const response = await sendThenRead(client, `${POST}Content-Length: 3\r\n\r\n`)
    expect(response.status).toBe(400)
    client.destroy()
  })

  test('a body without an end is not read for ever, and its client has the answer all the same', async () => {
    const client = await connectRaw(gateway.port)
    const written = new Promise<unknown>((resolve) => {
      client.send(POST.replace(/\d{4,}/, '999999999') + '\r\n')
      client.socket.write(Buffer.alloc(20 * LENGTH), resolve)
    })
    expect((await client.readResponse()).status).toBe(404)
    await client.until('the end of the connection', () => client.closed)
    expect(await written).toBeInstanceOf(Error)
  })
})
