import { describe, expect, test } from 'vitest'
import {
  HOST_SLOTS,
  NO_SLOT,
  canonicalHost,
  hostAt,
  hostSlotOf,
  ownCopy,
} from './normalise-host.ts'

describe('the table of hosts', () => {
  test('an authority that comes again is led to the same string object', () => {
    const slot = hostSlotOf('Shop.Example.com.:8443')
    expect(hostAt(slot)).toBe('shop.example.com')
    expect(hostSlotOf('Shop.Example.com.:8443')).toBe(slot)
  })

  test('an empty authority and one that is too long to keep have no slot', () => {
    expect(hostSlotOf('')).toBe(NO_SLOT)
    expect(hostSlotOf('a'.repeat(256))).toBe(NO_SLOT)
    expect(hostSlotOf('a'.repeat(255))).not.toBe(NO_SLOT)
  })

  // 20,000 names on 4,096 slots: most of them share one, and the last that came has it.
  test('whoever shares a slot, a slot tells the host of the authority that was asked for', () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20_000; i++) {
        const authority = `Host-${i}.Test:80`
        const slot = hostSlotOf(authority)
        expect(slot).toBeGreaterThanOrEqual(0)
        expect(slot).toBeLessThan(HOST_SLOTS)
        if (hostAt(slot) !== canonicalHost(authority)) expect.fail(`${authority}: ${hostAt(slot)}`)
      }
    }
  })
})

test.each(['a', 'X-Forwarded-For: 192.0.2.1', '\u00e9\u00ff', 'dept-\u0101', ''])(
  'a text of its own is the same text: %j',
  (text) => {
    const longer = `before ${text} and after`
    expect(ownCopy(longer.slice(7, 7 + text.length))).toBe(text)
  },
)
