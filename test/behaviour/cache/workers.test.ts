// httpCache in several workers: one response for all, one request at a time, purges that hold everywhere.

import http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Asked, type CacheScene, fresh, startCacheScene } from '../../support/cache-scene.ts'
import { run } from '../../cli/run.ts'
import { eventually } from '../../support/wait.ts'

let scene: CacheScene

beforeAll(async () => {
  scene = await startCacheScene({
    workers: 3,
    cache: { cacheStatus: true, collapseTimeout: '60s' },
    static: { api: { insecure: true, writable: true } },
    routers: {
      beta: {
        rule: 'PathPrefix(`/`) && Header(`X-Beta`, `1`)',
        entryPoints: ['web'],
        service: 'origin',
        middlewares: ['cache'],
      },
      impatient: {
        rule: 'PathPrefix(`/impatient`)',
        entryPoints: ['web'],
        service: 'origin',
        middlewares: ['impatient'],
      },
    },
    middlewares: { impatient: { httpCache: { collapseTimeout: '100ms' } } },
  })
})

afterAll(() => scene.stop())

// Connections are spread by the kernel: so many reach every one of three workers.
const everywhere = (path: string, times = 30, headers = {}): Promise<Asked[]> =>
  Promise.all(Array.from({ length: times }, () => scene.ask(path, headers)))

function purge(query: string, headers: http.OutgoingHttpHeaders = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const { adminPort: port } = scene.gateway
    const options = { port, path: `/api/http/cache?${query}`, method: 'DELETE', headers }
    const request = http.request({ ...options, host: '127.0.0.1', agent: false }, (response) => {
      response.resume()
      response.on('end', () => resolve(String(response.statusCode)))
    })
    request.on('error', reject)
    request.end()
  })
}

test('concurrent requests of all workers for one URL are one request for its server', async () => {
  const answers: (() => void)[] = []
  scene.answer('/collapsed', (response) =>
    answers.push(() => response.writeHead(200, fresh).end('once')),
  )
  const all = everywhere('/collapsed')
  await eventually('the first request', () => answers.length > 0)
  await eventually('all to be there', async () => (await scene.metric('sluice_in_flight')) >= 30)
  for (const answer of answers) answer()
  const bodies = (await all).map(({ body }) => body)
  expect(new Set(bodies)).toEqual(new Set(['once']))
  expect(scene.count('/collapsed')).toBe(1)
})

test('what one worker has stored all of them serve', async () => {
  await scene.ask('/shared')
  await eventually('the others to know', async () =>
    (await everywhere('/shared')).every(({ cache }) => cache === 'HIT'),
  )
})

test('requests for what can not be stored do not wait for each other', async () => {
  const answers: (() => void)[] = []
  scene.answer('/unstorable', (response) =>
    answers.push(() => response.writeHead(200, { 'Cache-Control': 'private' }).end()),
  )
  const all = everywhere('/unstorable', 40)
  await eventually('the first request', () => answers.length > 0)
  await eventually('all to be there', async () => (await scene.metric('sluice_in_flight')) >= 40)
  for (const answer of answers.splice(0)) answer()
  await eventually('all others to ask', () => scene.count('/unstorable') === 40)
  expect(answers.length).toBeGreaterThan(10) // none of them has been answered yet
  for (const answer of answers) answer()
  await all
})

test('a request that waits too long asks for itself', async () => {
  const answers: (() => void)[] = []
  scene.answer('/impatient', (response) => answers.push(() => response.writeHead(200, fresh).end()))
  const all = everywhere('/impatient', 10)
  await eventually('all to ask', () => answers.length === 10)
  for (const answer of answers) answer()
  expect((await all).every(({ status }) => status === 200)).toBe(true)
})

test('a response that never came is asked for by one of those who waited', async () => {
  scene.answer('/broken', (response, request, count) => {
    if (count === 1) setTimeout(() => request.socket.destroy(), 100)
    else response.writeHead(200, fresh).end('whole')
  })
  const all = await everywhere('/broken', 12)
  expect(all.filter(({ body }) => body === 'whole').length).toBeGreaterThanOrEqual(11)
  expect(scene.count('/broken')).toBeLessThan(8)
})

test('what an unsafe method has ended no worker serves from then on', async () => {
  for (let round = 0; round < 5; round++) {
    await scene.ask('/changed')
    await everywhere('/changed', 10)
    const count = scene.count('/changed')
    await scene.ask('/changed', {}, 'DELETE')
    const after = await everywhere('/changed', 10)
    for (const { body } of after) expect(Number(body.split(' ')[1])).toBeGreaterThan(count)
  }
})

test('routers that share a URL and a cache do not share responses', async () => {
  scene.answer('/split', (response, request) =>
    response.writeHead(200, fresh).end(String(request.headers['x-beta'] ?? 'stable')),
  )
  await everywhere('/split')
  const beta = await everywhere('/split', 10, { 'X-Beta': '1' })
  expect(new Set(beta.map(({ body }) => body))).toEqual(new Set(['1']))
})

test('a purge holds in every worker when it is answered', async () => {
  const { port } = scene.gateway
  const cases: [string, string][] = [
    ['/purged/url', `url=http://127.0.0.1:${port}/purged/url`],
    ['/purged/prefix', `prefix=http://127.0.0.1:${port}/purged/`],
    ['/purged/tag', 'tag=shoes'],
    ['/purged/all', 'all=true'],
  ]
  for (const [path, query] of cases) {
    const headers = { ...fresh, 'Cache-Tag': 'sale, shoes' }
    scene.answer(path, (response, _request, count) =>
      response.writeHead(200, headers).end(`v ${count}`),
    )
    await eventually('everybody to have it', async () =>
      (await everywhere(path)).every(({ cache }) => cache === 'HIT'),
    )
    const count = scene.count(path)
    expect(await purge(query)).toBe('200')
    for (const { body } of await everywhere(path))
      expect([path, Number(body.slice(2)) > count]).toEqual([path, true])
  }
  expect(await purge('all=true', { Origin: 'https://evil.example' })).toBe('403')
})

test('a response that was under way when it was purged is not stored', async () => {
  let finish = (): void => {}
  scene.answer('/racing', (response, _request, count) => {
    response.writeHead(200, { ...fresh, 'Cache-Tag': 'racing' })
    response.write('x')
    if (count > 1) response.end()
    else finish = () => response.end()
  })
  const first = scene.ask('/racing')
  await eventually('the request', () => scene.count('/racing') === 1)
  expect(await purge('tag=racing')).toBe('200')
  finish()
  await first
  expect((await scene.ask('/racing')).cache).toBe('MISS')
})

test('the command shows and purges what the caches hold', async () => {
  const command = async (...words: string[]): Promise<string> => {
    const address = `127.0.0.1:${scene.gateway.adminPort}`
    const flags = [`--entryPoints.traefik.address=${address}`, '--api.insecure=true']
    const { code, out } = await run(['cache', ...words, ...flags])
    return `${code} ${out}`
  }
  await scene.ask('/by-command')
  expect(await command()).toMatch(/^0 cache@file +\d+ responses/m)
  expect(await command('purge', 'prefix', `http://127.0.0.1:${scene.gateway.port}/by-`)).toBe(
    '0 1 responses purged\n',
  )
  expect((await scene.ask('/by-command')).cache).toBe('MISS')
  expect(await command('purge', 'everything')).toMatch(/^2 /)
})

test('the API shows what each cache holds', async () => {
  const { body } = await scene.gateway.admin('/api/http/cache')
  expect(JSON.parse(body)).toContainEqual(
    expect.objectContaining({ name: 'cache@file', bytesMax: 52_428_800 }),
  )
})

test('a cache that did not change keeps what it has over a reload', async () => {
  await eventually('everybody to have it', async () =>
    (await everywhere('/kept')).every(({ cache }) => cache === 'HIT'),
  )
  const { body } = await scene.gateway.admin('/api/overview')
  const before = JSON.parse(body).sluice.generation.number as number
  scene.reload({ more: { rule: 'Path(`/more`)', entryPoints: ['web'], service: 'origin' } })
  await eventually('the new configuration', async () => {
    const overview = JSON.parse((await scene.gateway.admin('/api/overview')).body)
    return overview.sluice.generation.number > before
  })
  expect((await everywhere('/kept')).every(({ cache }) => cache === 'HIT')).toBe(true)
})
