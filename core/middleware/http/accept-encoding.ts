// core/middleware/http/accept-encoding.ts: which coding a client wants (RFC 9110, section 12.5.3).
//
// Hot: no. Clients send a handful of different values; who asks keeps the answers.

import type { Coding } from '../codecs.ts'
import { weightsIn } from '../weights.ts'

export interface Choice {
  readonly coding: Coding | null // null: the body as it is
  readonly refusesIdentity: boolean // and is to be compressed however short it is
}

interface Weights {
  readonly byName: ReadonlyMap<string, number> // in thousandths, as clients gave them
  readonly others: number | null // "*"
}

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

// `header`: null when the client has none. `offered` in our order, which decides between equal weights; `fallback` is
// Traefik's defaultEncoding, for clients that leave the choice to us (no header, or "*").
export function chooseCoding(
  header: string | null,
  offered: readonly Coding[],
  fallback: Coding | null,
): Choice {
  if (header === null) return { coding: fallback, refusesIdentity: false }
  const weights = parse(header)
  // Identity is always acceptable unless it is refused by name or by "*;q=0"; unnamed it is the last choice.
  const named = weights.byName.get('identity')
  const refusesIdentity = named === 0 || (named === undefined && weights.others === 0)
  let coding: Coding | null = null
  let best = 0
  for (const candidate of inOrder(offered, fallback, weights)) {
    const weight = weightOf(candidate, weights)
    if (weight <= best) continue
    best = weight
    coding = candidate
  }
  if (named !== undefined && named > best) coding = null
  return { coding, refusesIdentity }
}

// A client that names none of ours and takes any gets the default.
function inOrder(
  offered: readonly Coding[],
  fallback: Coding | null,
  { byName }: Weights,
): readonly Coding[] {
  if (fallback === null || offered.some((coding) => byName.has(coding))) return offered
  return [fallback, ...offered]
}

function weightOf(coding: Coding, { byName, others }: Weights): number {
  const named = byName.get(coding) ?? (coding === 'gzip' ? byName.get('x-gzip') : undefined)
  return named ?? others ?? 0
}

function parse(header: string): Weights {
  const byName = weightsIn(header, NAME, false)
  return { byName, others: byName.get('*') ?? null }
}
