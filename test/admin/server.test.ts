import { lstat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { MetricsPage } from '../../admin/metrics/page.ts'
import { AdminServer } from '../../admin/server.ts'
import type { AdminState } from '../../admin/state.ts'
import { controlBytes } from '../../core/shared/control.ts'
import {
  type Got,
  get,
  mapOf,
  noObjects,
  objectOf,
  stateOf,
  staticOf,
  withFolder,
} from './fixture.ts'

type Ask = (path: string, method?: string) => Promise<Got>

async function withServer(state: AdminState, use: (ask: Ask) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, 'admin.sock')
    const server = new AdminServer(state)
    await server.listen(path)
    try {
      await use((target, method) => get(path, target, method))
    } finally {
      await server.close()
    }
  })
}

const routers = mapOf([
  objectOf('shop@file', {
    using: ['web'],
    definition: {
      rule: 'Host(`shop.test`)',
      service: 'shop',
      middlewares: ['strip'],
      entryPoints: ['web'],
    },
  }),
  objectOf('broken@file', {
    status: 'disabled',
    error: ['the service "gone@file" does not exist'],
    definition: { rule: 'Path(`/b`)', service: 'gone', priority: 7 },
  }),
  objectOf('api@internal', {
    provider: 'internal',
    definition: { rule: 'PathPrefix(`/api`)', service: 'api@internal' },
  }),
])

const services = mapOf([
  objectOf('shop@file', {
    usedBy: ['shop@file'],
    definition: { loadBalancer: { servers: [{ url: 'http://a.test' }, { url: 'http://b.test' }] } },
  }),
  objectOf('api@internal', { provider: 'internal' }),
])

const middlewares = mapOf([
  objectOf('strip@file', { definition: { stripPrefix: { prefixes: ['/s'] } }, status: 'warning' }),
])

const full = stateOf({
  runtime: () => ({ ...noObjects, routers, services, middlewares }),
  isUp: (_service, url) => url !== 'http://b.test',
})

async function names(ask: Ask, path: string): Promise<string[]> {
  const items = JSON.parse((await ask(path)).text) as { name: string }[]
  return items.map((item) => item.name)
}

test('the socket may be used by its owner only', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'admin.sock')
    const server = new AdminServer(stateOf())
    await server.listen(path)
    expect((await lstat(path)).mode & 0o777).toBe(0o600)
    await server.close()
  })
})

test('a socket that a dead process left behind is replaced, a file is not', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'admin.sock')
    const first = createServer().listen(path)
    await new Promise((resolve) => first.once('listening', resolve))
    const server = new AdminServer(stateOf())
    await server.listen(path)
    expect((await get(path, '/api/version')).status).toBe(200)
    await server.close()
    first.close()
    const file = join(folder, 'precious')
    await writeFile(file, 'kept')
    await expect(new AdminServer(stateOf()).listen(file)).rejects.toThrow('EADDRINUSE')
  })
})

test('metrics are answered at /metrics, whatever the base path', async () => {
  const state = {
    ...full,
    staticConfig: staticOf('--entryPoints.web.address=:1', '--api.basePath=/gateway'),
  }
  const metrics = new MetricsPage({
    control: new Int32Array(new SharedArrayBuffer(controlBytes(1))),
    buckets: [1],
    workers: state.workers,
    generation: state.generation,
    reloads: () => 1,
    lastReloadAt: () => 0,
    configErrors: () => 0,
    accessLogLost: () => 0,
    spooledBytes: () => 0,
    oldestGeneration: () => 1,
    sharedSlots: () => ({ slots: 16_384, used: 5 }),
    knows: () => true,
    caches: () => [],
    health: () => [],
    certificates: () => [],
    svidNotAfter: () => 0,
    breakers: () => [],
  })
  await withServer({ ...state, metrics }, async (ask) => {
    const got = await ask('/metrics')
    expect(got.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(got.text).toContain('\nsluice_generation_number 3\n')
  })
})

test('the version says what runs and since when', async () => {
  await withServer(full, async (ask) => {
    const got = await ask('/api/version')
    expect(got.headers['content-type']).toBe('application/json')
    expect(JSON.parse(got.text)).toMatchObject({
      Version: '0.1.0',
      startDate: '2026-01-02T03:04:05.000Z',
    })
  })
})

test('the overview counts objects and lists the problems of the last load', async () => {
  const problem = {
    severity: 'error',
    code: 'CONFIG_KEY_UNKNOWN',
    file: 'routes.yml',
    line: 3,
    column: 5,
    path: 'http.routers.a.rul',
    message: 'unknown key "rul"',
    suggestion: 'rule',
  } as const
  const state = { ...full, lastLoad: () => ({ succeeded: false, problems: [problem] }) }
  await withServer(state, async (ask) => {
    const overview = JSON.parse((await ask('/api/overview')).text)
    expect(overview.http.routers).toEqual({ total: 3, warnings: 0, errors: 1 })
    expect(overview.http.middlewares).toEqual({ total: 1, warnings: 1, errors: 0 })
    expect(overview.features).toEqual({ tracing: '', metrics: '', accessLog: false })
    expect(overview.providers).toEqual(['File'])
    expect(overview.sluice.generation.number).toBe(3)
    expect(overview.sluice.lastLoadSucceeded).toBe(false)
    expect(overview.sluice.problems).toEqual([
      { ...problem, text: 'routes.yml:3:5: unknown key "rul" (did you mean "rule"?)' },
    ])
  })
})

test('a router is shown as it was written, with name, priority, status and entry points', async () => {
  await withServer(full, async (ask) => {
    expect(JSON.parse((await ask('/api/http/routers/shop@file')).text)).toEqual({
      rule: 'Host(`shop.test`)',
      service: 'shop',
      middlewares: ['strip'],
      entryPoints: ['web'],
      priority: 17,
      priorityStr: '17',
      using: ['web'],
      status: 'enabled',
      name: 'shop@file',
      provider: 'file',
    })
    const broken = JSON.parse((await ask('/api/http/routers/broken%40file')).text)
    expect(broken).toMatchObject({ priority: 7, error: ['the service "gone@file" does not exist'] })
  })
})

test('a service says of what type it is and which servers are up', async () => {
  await withServer(full, async (ask) => {
    expect(JSON.parse((await ask('/api/http/services/shop@file')).text)).toMatchObject({
      type: 'loadbalancer',
      usedBy: ['shop@file'],
      serverStatus: { 'http://a.test': 'UP', 'http://b.test': 'DOWN' },
    })
    expect(JSON.parse((await ask('/api/http/middlewares/strip@file')).text).type).toBe(
      'stripprefix',
    )
  })
})

test('lists are searched, filtered and sorted as the query asks', async () => {
  await withServer(full, async (ask) => {
    const of = (query: string) => names(ask, `/api/http/routers?${query}`)
    expect(await of('')).toEqual(['api@internal', 'broken@file', 'shop@file'])
    expect(await of('direction=desc')).toEqual(['shop@file', 'broken@file', 'api@internal'])
    expect(await of('sortBy=priority')).toEqual(['broken@file', 'shop@file', 'api@internal'])
    expect(await of('search=SHOP.test')).toEqual(['shop@file'])
    expect(await of('status=disabled')).toEqual(['broken@file'])
    expect(await of('serviceName=shop@file')).toEqual(['shop@file'])
    expect(await of('middlewareName=strip@file')).toEqual(['shop@file'])
    expect(await of('middlewareName=other@file')).toEqual([])
  })
})

test('pages are cut and name the next one; a page that is not there is 400', async () => {
  await withServer(full, async (ask) => {
    const first = await ask('/api/http/routers?per_page=2')
    expect(first.headers['x-next-page']).toBe('2')
    expect(JSON.parse(first.text)).toHaveLength(2)
    const second = await ask('/api/http/routers?per_page=2&page=2')
    expect(second.headers['x-next-page']).toBe('1')
    expect(JSON.parse(second.text)).toHaveLength(1)
    for (const bad of ['page=3&per_page=2', 'page=0', 'page=-1', 'page=x', 'per_page=1e3']) {
      const got = await ask(`/api/http/routers?${bad}`)
      expect(got.status, bad).toBe(400)
      expect(JSON.parse(got.text).message).toContain('invalid request')
    }
  })
})

test('what is not there is 404 with a message, whatever the name holds', async () => {
  await withServer(full, async (ask) => {
    const paths = [
      '/api/http/routers/none@file',
      '/api/http/routers/%zz',
      '/api/http/routers/__proto__',
      '/api/http/nothing',
      '/api/http/routers/a/b',
      '/api/udp/middlewares',
      '/api/entrypoints/none',
      '/api/certificates/abc',
      '/api/constructor',
      '/api/',
      '/else',
      '/metrics',
    ]
    for (const path of paths) {
      const got = await ask(path)
      expect(got.status, path).toBe(404)
      expect(typeof JSON.parse(got.text).message, path).toBe('string')
    }
  })
})

test('what nobody has configured is an empty list, and PUT of a configuration 501', async () => {
  await withServer(full, async (ask) => {
    for (const path of ['tcp/routers', 'tcp/middlewares', 'udp/services', 'certificates']) {
      expect((await ask(`/api/${path}`)).text, path).toBe('[]')
    }
    expect((await ask('/api/providers/rest', 'PUT')).status).toBe(501)
  })
})

test('nothing can be changed', async () => {
  await withServer(full, async (ask) => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const got = await ask('/api/http/routers', method)
      expect([got.status, got.headers['allow']]).toEqual([405, 'GET, HEAD'])
    }
    const head = await ask('/api/http/routers', 'HEAD')
    expect([head.status, head.bytes.length]).toEqual([200, 0])
    expect(Number(head.headers['content-length'])).toBeGreaterThan(2)
  })
})

const secretConfig = staticOf(
  '--entryPoints.web.address=:8000',
  '--api=true',
  '--providers.redis.password=hush-1',
  '--providers.http.endpoint=http://user:hush-2@config.test/x',
  '--metrics.otlp.http.headers.authorization=hush-3',
  '--hub.token=hush-4',
)

test('entry points are shown with their settings', async () => {
  await withServer(full, async (ask) => {
    const shown = JSON.parse((await ask('/api/entrypoints/web')).text)
    expect(shown).toMatchObject({ name: 'web', address: ':8000', engine: 'node' })
    expect(shown.transport.respondingTimeouts.idleTimeout).toBe(180_000)
    expect(await names(ask, '/api/entrypoints')).toEqual(['web'])
  })
})

test('the support dump is an archive that holds no secret', async () => {
  await withServer({ ...full, staticConfig: secretConfig }, async (ask) => {
    const got = await ask('/api/support-dump')
    expect(got.headers['content-disposition']).toContain('support-dump.tar.gz')
    const archive = gunzipSync(got.bytes).toString('latin1')
    const files = ['version.json', 'overview.json', 'static_config.json', 'runtime_config.json']
    for (const file of files) expect(archive).toContain(file)
    expect(archive).toContain('xxxx@config.test')
    expect(archive).not.toContain('hush')
  })
})

test('rawdata holds every object under its name', async () => {
  await withServer(full, async (ask) => {
    const data = JSON.parse((await ask('/api/rawdata')).text)
    expect(Object.keys(data.routers).sort()).toEqual([...routers.keys()].sort())
    expect(data.services['shop@file'].serverStatus['http://a.test']).toBe('UP')
    expect(data.middlewares['strip@file'].status).toBe('warning')
  })
})

test('a base path moves API and dashboard', async () => {
  const staticConfig = staticOf('--entryPoints.web.address=:8000', '--api.basePath=/gateway/')
  await withServer({ ...full, staticConfig }, async (ask) => {
    expect((await ask('/gateway/api/version')).status).toBe(200)
    expect((await ask('/api/version')).status).toBe(404)
    expect((await ask('/gatewayapi/version')).status).toBe(404)
    expect((await ask('/gateway')).headers['location']).toBe('/gateway/dashboard/')
    expect((await ask('/gateway/dashboard/')).status).toBe(200)
  })
})

test('the dashboard is three files that load nothing from elsewhere', async () => {
  await withServer(full, async (ask) => {
    expect((await ask('/')).headers['location']).toBe('/dashboard/')
    for (const file of ['', 'dashboard.js', 'dashboard.css']) {
      const got = await ask(`/dashboard/${file}`)
      expect(got.status, file).toBe(200)
      expect(got.headers['content-security-policy']).toContain("default-src 'none'")
      expect(got.text).not.toMatch(/https?:\/\/|innerHTML/)
    }
    expect((await ask('/dashboard/../server.ts')).status).toBe(404)
  })
})

function throwing(): never {
  throw new Error('a defect')
}

test('a state that throws is a 500 and does not end the server', async () => {
  await withServer({ ...full, runtime: throwing }, async (ask) => {
    expect((await ask('/api/http/routers')).status).toBe(500)
    expect((await ask('/api/version')).status).toBe(200)
  })
})
