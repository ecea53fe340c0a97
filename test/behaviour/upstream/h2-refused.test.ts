// A server that refuses streams for a while gets fewer for a while, and not for as long as its connections live.

import type { ServerHttp2Stream } from 'node:http2'
import { afterEach, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { type H2Origin, startH2Origin } from '../../support/h2-origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const REFUSED_STREAM = 7
const BURST = 40 // at once; the server announces 100
const SESSIONS_MAX = 8 // of one server
const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

interface Narrow {
  readonly origin: H2Origin
  takes: number // streams at once
  open: number
  most: number // that were open at once
  refused: number
}

async function startNarrow(): Promise<Narrow> {
  const serve = (stream: ServerHttp2Stream): void => {
    if (narrow.open >= narrow.takes) {
      narrow.refused++
      return stream.close(REFUSED_STREAM)
    }
    narrow.most = Math.max(narrow.most, ++narrow.open)
    setTimeout(() => {
      narrow.open--
      stream.respond({ ':status': 200 })
      stream.end('ok')
    }, 200)
  }
  const origin = await startH2Origin(serve, { settings: { maxConcurrentStreams: 100 } })
  const narrow: Narrow = { origin, takes: Infinity, open: 0, most: 0, refused: 0 }
  stops.push(() => origin.stop())
  return narrow
}

// The statuses of so many requests at the same time.
function burst(gateway: Gateway, count: number): Promise<number[]> {
  const one = async (): Promise<number> => {
    const client = await connectRaw(gateway.port)
    const { status } = await client.send(requestText('GET', '/')).readResponse()
    client.destroy()
    return status
  }
  return Promise.all(Array.from({ length: count }, one))
}

test('a server that refused streams gets as many as it has announced again', async () => {
  const narrow = await startNarrow()
  const gateway = await startGateway({ routes: routesTo([narrow.origin.url]) })
  stops.push(() => gateway.stop())
  narrow.takes = 1
  await eventually('every session to be refused something', async () => {
    await burst(gateway, 20)
    return narrow.origin.sessions.length === SESSIONS_MAX
  })
  for (let i = 0; i < 5; i++) await burst(gateway, 20)
  narrow.takes = Infinity
  await eventually(`${BURST} streams at once`, async () => {
    narrow.most = 0
    const statuses = await burst(gateway, BURST)
    expect(new Set(statuses)).toEqual(new Set([200]))
    return narrow.most === BURST
  })
})
