// A server that closes all its idle connections at once: no request is sent on one of them, not even one that may not be repeated.

import { afterEach, expect, test } from 'vitest'
import { type Scene, requestText, responseText, startScene } from '../../support/scene.ts'

const CLIENTS = 200
let scene: Scene | null = null

afterEach(async () => {
  await scene?.stop()
  scene = null
})

test('POSTs after the end of 200 idle connections all arrive', async () => {
  scene = await startScene({ maxIdleConnsPerHost: CLIENTS }, {}, async (connection) => {
    for (;;) {
      await connection.readRequest(60_000)
      connection.send(responseText('ok'))
    }
  })
  const { client, origin } = scene
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => client()))
  const askAll = async (): Promise<number[]> => {
    for (const each of clients) each.send(requestText('POST', '/'))
    return Promise.all(clients.map(async (each) => (await each.readResponse()).status))
  }
  for (let round = 0; round < 5; round++) {
    expect(new Set(await askAll())).toEqual(new Set([200]))
    const open = origin.connections.filter((connection) => !connection.closed)
    expect(open.length).toBeGreaterThan(16)
    // Once these have been called the ends are in the gateway's queue of events, before the requests that follow.
    await Promise.all(
      open.map(({ socket }) => new Promise<void>((resolve) => socket.end(() => resolve()))),
    )
    expect(new Set(await askAll())).toEqual(new Set([200]))
  }
})
