// What a purge must reach besides what lies in the index: see workers.test.ts for that it holds in every worker.

import type http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CacheScene, fresh, startCacheScene } from '../../support/cache-scene.ts'
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

test('a response with more or longer tags than are kept is not stored', async () => {
  const tags = Array.from({ length: 1001 }, (_, i) => `n${i}`)
  const cases: [string, http.OutgoingHttpHeaders][] = [
    ['/many', { 'Surrogate-Key': tags.join(' ') }],
    ['/long', { 'Cache-Tag': 'a'.repeat(300) }],
  ]
  for (const [path, headers] of cases) {
    scene.answer(path, (response) => response.writeHead(200, { ...fresh, ...headers }).end())
    const { headers: told } = await scene.ask(path)
    expect(told['cache-status']).toBe('sluice; fwd=uri-miss; detail=tags')
    expect([path, (await scene.ask(path)).cache]).toEqual([path, 'MISS'])
  }
})

test('a tag may be any text in UTF-8', async () => {
  const tags = ['Müller', 'voilà', '靴']
  const sent = Buffer.from(tags.join(', ')).toString('latin1') // how node:http sends bytes
  scene.answer('/text', (response) =>
    response.writeHead(200, { ...fresh, 'Cache-Tag': sent }).end(),
  )
  for (const tag of tags) {
    expect((await scene.ask('/text')).cache).toBe('MISS')
    expect([tag, await purged(`tag=${encodeURIComponent(tag)}`)]).toEqual([tag, 1])
  }
})
