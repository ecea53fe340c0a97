// test/conformance/traefik/expected.ts: differences from Traefik that are meant, each with its reason and the page that tells
// users of it. Whatever differs and is not here fails the suite, and so does what is here and no longer differs.

import type { Difference } from './compare.ts'
import type { Ask, Case, Seen } from './pair.ts'

export interface Both {
  readonly one: Case
  readonly ask: Ask
  readonly traefik: Seen
  readonly sluice: Seen
}

export interface Expected {
  readonly name: string
  readonly why: string
  readonly page: string // of docs/
  readonly explains: (found: Difference, both: Both) => boolean
}

export const expected: readonly Expected[] = []
