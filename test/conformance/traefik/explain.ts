// test/conformance/traefik/explain.ts: what an expected difference is, and what several of them ask of an answer.

import { ABSENT, type Difference } from './compare.ts'
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

// The code that an answer of Sluice's own ends with, or its page shows; '' for others.
export function codeOf({ answer }: Seen): string {
  return (
    /\(([A-Z0-9_]+)\)\n$|>([A-Z0-9_]{6,})</
      .exec(answer?.body ?? '')
      ?.slice(1)
      .find(Boolean) ?? ''
  )
}

export const refused =
  (codes: readonly string[]) =>
  (_: Difference, { sluice }: Both) =>
    codes.includes(codeOf(sluice))

// No server was asked: the answer is the gateway's.
export const isUnasked = ({ sluice }: Both) =>
  sluice.served.every(({ origin }) => origin === 'auth')

export const withoutCoding = (vary: string) =>
  vary
    .split(' | ')
    .filter((name) => name !== 'Accept-Encoding' && name !== ABSENT)
    .join()

export const OWN_PARTS = new Set([
  'body',
  'header content-type',
  'header content-length',
  'header vary',
  'header x-content-type-options',
  'header connection',
  'header content-security-policy',
  'header date',
])

// Both refuse with the same status, or have no router; a HEAD shows no code.
export function isOwnAnswer({ ask, traefik, sluice }: Both): boolean {
  if (traefik.answer?.status !== sluice.answer?.status || sluice.answer === null) return false
  if (sluice.answer.status < 400) return false
  return (
    codeOf(sluice) !== '' ||
    (ask.method === 'HEAD' && sluice.served.length === 0) ||
    sluice.answer.body === '404 page not found\n'
  )
}
