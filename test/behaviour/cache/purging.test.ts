// What a purge must reach besides what lies in the index: see workers.test.ts for that it holds in every worker.

import type http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CacheScene, startCacheScene } from '../../support/cache-scene.ts'
import { eventually } from '../../support/wait.ts'

let scene: CacheScene

beforeAll(async () => {
  scene = await startCacheScene({
    cache: { cacheStatus: true },
    static: { api: { insecure: true, writable: true } },
  })
})

afterAll(() => scene.stop())

async function purged(query: string): Promise<number> {
  const url = `http://127.0.0.1:${scene.gateway.adminPort}/api/http/cache?${query}`
  const answer = (await (await fetch(url, { method: 'DELETE' })).json()) as { purged: number }
  return answer.purged
}

test('what was purged while its server was asked does not stand in for an error', async () => {
  const stale = { 'Cache-Control': 'max-age=0, stale-if-error=600', 'Cache-Tag': 'secret' }
  const ways = ['tag=secret', `url=http://127.0.0.1:${scene.gateway.port}/failing/1`, 'all=true']
  for (const [round, way] of ways.entries()) {
    const path = `/failing/${round}`
    const held: http.ServerResponse[] = []
    scene.answer(path, (response, _request, count) => {
      if (count === 1) response.writeHead(200, stale).end('old secret')
      else held.push(response)
    })
    await scene.ask(path)
    const asked = scene.ask(path)
    await eventually('its server to be asked again', () => held.length > 0)
    expect([way, await purged(way)]).toEqual([way, 1])
    for (const response of held) response.writeHead(503).end('down')
    expect(await asked).toMatchObject({ status: 503, body: 'down', cache: 'MISS' })
  }
})
