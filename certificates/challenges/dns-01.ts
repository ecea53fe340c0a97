// certificates/challenges/dns-01.ts: proves a name by a TXT record (RFC 8555 8.4). Hot: no.

import type { Solver } from './contract.ts'

export function dnsSolver(..._all: unknown[]): Solver {
  throw new Error('not built yet')
}
