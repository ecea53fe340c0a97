import { expect, test } from 'vitest'
import { fipsFault, requireFips, type CryptoMode } from './fips.ts'

function modeOf(digests: readonly string[], on = false, turns = true): CryptoMode {
  let isOn = on
  return {
    isOn: () => isOn,
    turnOn: () => void (isOn = turns),
    computes: (digest) => digests.includes(digest),
  }
}

test('FIPS mode is had when approved digests work and others do not', () => {
  expect(fipsFault(modeOf(['sha256']))).toBe('')
  expect(fipsFault(modeOf(['sha256'], true))).toBe('')
})

test('A mode that is on by its name only is refused', () => {
  expect(fipsFault(modeOf([]))).toContain('no FIPS provider')
  expect(fipsFault(modeOf(['sha256', 'md5']))).toContain('not approved')
  expect(fipsFault(modeOf(['sha256'], false, false))).toContain('does not turn it on')
})

test('A refusal of OpenSSL is told, with the page that helps', () => {
  const mode: CryptoMode = {
    ...modeOf([]),
    turnOn: () => {
      throw new Error('dso not found')
    },
  }
  expect(() => requireFips(mode)).toThrow(/dso not found; see docs\/fips\.md/)
})
