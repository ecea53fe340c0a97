// core/header-ids.test.ts: every known name is found in any case, nothing else is, and look-ups are short.

import { describe, expect, test } from 'vitest'
import { UNKNOWN, chainLengthMax, headerIdOf, headerIdOfBytes, headerNames } from './header-ids.ts'

function idOf(name: string): number {
  const bytes = Buffer.from('xx' + name + ':', 'latin1')
  return headerIdOfBytes(bytes, 2, 2 + name.length)
}

// Every byte that a token may hold and that is no letter in another case.
const tokenBytes = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

describe('header ids', () => {
  test('every known name is found, whatever its case', () => {
    for (let id = 1; id < headerNames.length; id++) {
      const name = headerNames[id]!
      expect(name).toBe(name.toLowerCase())
      expect(headerIdOf(name)).toBe(id)
      expect(idOf(name)).toBe(id)
      expect(idOf(name.toUpperCase())).toBe(id)
      expect(idOf(name.replace(/\b\w/g, (c) => c.toUpperCase()))).toBe(id)
    }
  })

  test('a name that differs in one byte is another name', () => {
    const known = new Set(headerNames)
    for (let id = 1; id < headerNames.length; id++) {
      const name = headerNames[id]!
      for (let i = 0; i < name.length; i++) {
        for (const c of tokenBytes) {
          const other = name.slice(0, i) + c + name.slice(i + 1)
          if (!known.has(other)) expect(idOf(other), other).toBe(UNKNOWN)
        }
      }
      if (!known.has(name + 's')) expect(idOf(name + 's')).toBe(UNKNOWN)
    }
    expect(idOf('')).toBe(UNKNOWN)
  })

  test('a slot of the table holds two names at the most', () => {
    expect(chainLengthMax()).toBeLessThanOrEqual(2)
  })
})
