import { expect, test } from 'vitest'
import { requestOf } from '../middleware/exchange.fixture.ts'
import { HeaderLabels, SETS_MAX } from './header-labels.ts'

function head(...lines: string[]) {
  return requestOf('GET / HTTP/1.1', lines).request
}

test('the same values have the same set, absent headers have an empty value', () => {
  const labels = new HeaderLabels({ tenant: 'X-Tenant', agent: 'User-Agent' })
  const first = labels.of(head('X-Tenant: a', 'User-Agent: curl'))
  expect(first.labels).toEqual({ tenant: 'a', agent: 'curl' })
  expect(labels.of(head('user-agent: curl', 'x-tenant: a'))).toBe(first)
  const none = labels.of(head())
  expect(none.labels).toEqual({ tenant: '', agent: '' })
  expect(none.id).not.toBe(first.id)
})

test('values that swap their places are another combination', () => {
  const labels = new HeaderLabels({ a: 'X-A', b: 'X-B' })
  expect(labels.of(head('X-A: 1')).id).not.toBe(labels.of(head('X-B: 1')).id)
})

test('combinations beyond the bound, and long values, are "other"; those that were there stay', () => {
  const labels = new HeaderLabels({ tenant: 'X-Tenant' })
  const long = labels.of(head(`X-Tenant: ${'x'.repeat(300)}`))
  expect(long).toEqual({ id: 0, labels: { tenant: 'other' } })
  const ids = new Set<number>()
  for (let i = 0; i < SETS_MAX; i++) ids.add(labels.of(head(`X-Tenant: t${i}`)).id)
  expect([ids.size, ids.has(0)]).toEqual([SETS_MAX, false])
  expect(labels.of(head('X-Tenant: late')).labels).toEqual({ tenant: 'other' })
  expect(labels.of(head('X-Tenant: t7')).labels).toEqual({ tenant: 't7' })
})
