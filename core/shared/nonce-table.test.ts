// Which counts of which nonces were used: in order, out of order, twice, too late.
import { expect, it } from 'vitest'
import { FRESH, NONCES, NONCE_TABLE_BYTES, NonceTable, REPLAYED, STALE } from './nonce-table.ts'

const table = () => new NonceTable(new SharedArrayBuffer(NONCE_TABLE_BYTES))

it('each count of a nonce is good once, in an order that browsers may choose', () => {
  const nonces = table()
  const nonce = nonces.issue()
  for (const count of [1, 3, 2, 10, 4]) expect(nonces.use(nonce, count)).toBe(FRESH)
  for (const count of [1, 2, 3, 4, 10]) expect(nonces.use(nonce, count)).toBe(REPLAYED)
  expect(nonces.use(nonce, 100)).toBe(FRESH)
  expect(nonces.use(nonce, 69)).toBe(FRESH) // 31 before
  expect(nonces.use(nonce, 68)).toBe(REPLAYED) // too long ago to know
})

it('threads with one memory agree', () => {
  const memory = new SharedArrayBuffer(NONCE_TABLE_BYTES)
  const [one, other] = [new NonceTable(memory), new NonceTable(memory)]
  const nonce = one.issue()
  expect(other.use(nonce, 1)).toBe(FRESH)
  expect(one.use(nonce, 1)).toBe(REPLAYED)
  expect(other.issue()).toBe(nonce + 1)
})

it('a nonce that lost its place is stale for ever, whatever was used of it', () => {
  const nonces = table()
  const first = nonces.issue()
  for (let i = 1; i < NONCES; i++) nonces.issue()
  expect(nonces.use(first, 1)).toBe(FRESH)
  const next = nonces.issue()
  expect([nonces.use(first, 2), nonces.use(next, 1)]).toEqual([STALE, FRESH])
})

it.each([0, -1, 65_536])('the count %i is none', (count) => {
  const nonces = table()
  expect(nonces.use(nonces.issue(), count)).toBe(STALE)
})
