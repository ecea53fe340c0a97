// The short form of the rows that every change must pass; `make faults` runs all of them at full size.

import { describe, expect, test } from 'vitest'
import { faultRows } from './rows.ts'

const size = { full: false }

describe('faults', () => {
  for (const row of faultRows.filter(({ smoke }) => smoke)) {
    test(`${row.number}: ${row.name}`, { timeout: 120_000 }, async (context) => {
      const missing = row.missing?.(size) ?? ''
      if (missing !== '') return context.skip(missing)
      const { ok, measured } = await row.run(size)
      expect(ok, `${row.accept}: ${measured}`).toBe(true)
    })
  }
})
