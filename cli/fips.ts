// cli/fips.ts: --fips: the process computes with a FIPS provider of OpenSSL, or does not start.
//
// setFips() alone proves nothing: without a provider it succeeds, and everything fails afterwards. So the mode is
// tried: an approved digest must work and one that is not approved must not. The mode belongs to the whole process,
// workers too. Hot: no, once at start.

import { createHash, getFips, setFips } from 'node:crypto'
import { ConfigError } from '../config/problem.ts'

export interface CryptoMode {
  isOn(): boolean
  turnOn(): void // may throw
  computes(digest: string): boolean
}

const ofNode: CryptoMode = {
  isOn: () => getFips() === 1,
  turnOn: () => setFips(true),
  computes: (digest) => {
    try {
      return createHash(digest).update('').digest().length > 0
    } catch {
      return false
    }
  },
}

// Why the mode can't be had; '' once it is on.
export function fipsFault(mode: CryptoMode): string {
  try {
    if (!mode.isOn()) mode.turnOn()
  } catch (fault) {
    return fault instanceof Error ? fault.message : String(fault)
  }
  if (!mode.isOn()) return 'OpenSSL does not turn it on'
  if (!mode.computes('sha256')) return 'this OpenSSL has no FIPS provider'
  if (mode.computes('md5')) return 'OpenSSL computes what is not approved'
  return ''
}

// Throws when the mode can't be had.
export function requireFips(mode: CryptoMode = ofNode): void {
  const fault = fipsFault(mode)
  if (fault === '') return
  const message = `fips: FIPS mode can't be had, so the gateway does not start: ${fault}; see docs/fips.md`
  const place = { file: 'install configuration', line: 0, column: 0, path: 'fips' }
  throw new ConfigError([
    { severity: 'error', code: 'CONFIG_FIPS', ...place, message, suggestion: '' },
  ])
}
