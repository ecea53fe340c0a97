// Purging by the API: who may, and what is understood.
import { describe, expect, it } from 'vitest'
import { caches, purgeCaches } from '../../admin/caches.ts'
import { refusalOf } from '../../admin/commands.ts'
import type { PurgeWish } from '../../core/cache/contract.ts'
import { stateOf, staticOf } from './fixture.ts'

const allowed = staticOf('--entryPoints.web.address=:8000', '--api=true', '--api.writable=true')

async function purge(
  query: string,
  headers: { host?: string; origin?: string; fetchSite?: string } = {},
  staticConfig = allowed,
  late: readonly string[] = [],
): Promise<{ status: number; text: string; wishes: PurgeWish[] }> {
  const wishes: PurgeWish[] = []
  const state = stateOf({
    staticConfig,
    purge: (wish) => Promise.resolve({ count: wishes.push(wish), late }),
  })
  const { host = 'admin.example', origin = '', fetchSite = '' } = headers
  const own = { host, ...(origin && { origin }), ...(fetchSite && { 'sec-fetch-site': fetchSite }) }
  const refusal = refusalOf(state, own)
  const { status, body } = refusal ?? (await purgeCaches(state, new URLSearchParams(query)))
  return { status, text: String(body), wishes }
}

describe('purging', () => {
  it('is refused unless the install configuration allows it', async () => {
    const usual = staticOf('--entryPoints.web.address=:8000', '--api=true')
    const { status, text, wishes } = await purge('all=true', {}, usual)
    expect([status, wishes]).toEqual([403, []])
    expect(text).toContain('api.writable')
  })

  it('is refused to pages of other sites', async () => {
    for (const foreign of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { fetchSite: 'cross-site' },
      { fetchSite: 'same-site' },
      { origin: 'http://admin.example.evil' },
      { origin: 'http://admin.example', fetchSite: 'same-origin' }, // rebound
      { host: 'localhost.evil:8080', origin: 'http://localhost.evil:8080' },
    ])
      expect(await purge('all=true', foreign)).toMatchObject({ status: 403, wishes: [] })
    for (const own of [
      {},
      { origin: 'https://admin.example', fetchSite: 'same-origin' },
      { host: 'localhost:8080', origin: 'http://localhost:8080' },
      { host: '[::1]:8080', origin: 'http://[::1]:8080' },
      { host: '10.0.0.7', origin: 'http://10.0.0.7' },
    ])
      expect(await purge('all=true', own)).toMatchObject({ status: 200, text: '{"purged":1}' })
  })

  it('wants one thing, and says so', async () => {
    for (const query of [
      '',
      'all=1',
      'tag=a&prefix=b',
      'all=true&tag=a',
      `tag=${'x'.repeat(9000)}`,
    ])
      expect(await purge(query)).toMatchObject({ status: 400, wishes: [] })
  })

  it('takes a URL as a request for it would be stored', async () => {
    const urlOf = async (url: string) =>
      (await purge(`url=${encodeURIComponent(url)}`)).wishes[0]?.url
    expect(await urlOf('https://Shop.Example:443/a/../b//c?x=1')).toBe(
      'https://shop.example/b/c?x=1',
    )
    expect(await urlOf('http://shop.example')).toBe('http://shop.example/')
    expect(await urlOf('http://shop.example?q')).toBe('http://shop.example/?q')
    for (const bad of ['/a', 'ftp://a/', 'http://a b/', 'http://a/%zz', 'http://a/\r\nX: 1'])
      expect(await urlOf(bad)).toBe(undefined)
  })

  it('says which caches of other gateways are told later', async () => {
    const { text } = await purge('tag=a', {}, allowed, ['static@file'])
    expect(JSON.parse(text)).toEqual({ purged: 1, late: ['static@file'] })
  })

  it('can be of one middleware', async () => {
    const { wishes } = await purge('tag=a&middleware=static@file')
    expect(wishes).toEqual([{ store: 'static@file', url: '', tag: 'a', prefix: '', all: false }])
  })
})

it('shows what each cache holds', () => {
  const row = { name: 'static@file', bytes: 1, bytesMax: 2, entries: 3, redis: 'answers' as const }
  expect(caches(stateOf({ caches: () => [row] }))).toEqual([row])
})
