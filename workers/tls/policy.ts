// workers/tls/policy.ts: what TLS options ask of a client, as one short text that can be compared.
//
// Hot: no; remembered per plan. Two options of different names may ask for the same, and one name for something else
// after a reload: connections are told apart by this, not by names.

import { cryptoModule } from '../builtins.ts'
import type { TlsOptionsPlan } from '../../config/protocol-plans.ts'

const known = new WeakMap<TlsOptionsPlan, string>()

export function policyOf(options: TlsOptionsPlan): string {
  let policy = known.get(options)
  if (policy === undefined) {
    const asked = Object.entries(options).filter(([key]) => key !== 'name')
    policy = digest(asked.sort(([a], [b]) => (a < b ? -1 : 1)))
    known.set(options, policy)
  }
  return policy
}

export function digest(value: unknown): string {
  const hash = cryptoModule().createHash('sha256')
  return hash.update(JSON.stringify(value)).digest('hex').slice(0, 32)
}
