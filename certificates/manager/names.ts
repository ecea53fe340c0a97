// certificates/manager/names.ts: from what routers wish to what must be ordered; pure. Hot: no.
//
// Names that some certificate covers already are left out, as in Traefik: the operator's own files first, then what
// another wish of the same resolver brings (a wildcard, or a longer list).

import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

// As config/compile makes them.
export interface CertificateWish {
  readonly resolver: string
  readonly names: readonly string[] // the main one first
  readonly by: string // the router, or the store
}

export interface Wanted {
  readonly key: string // resolver and names: what makes two wishes one
  readonly resolver: string
  readonly names: readonly string[]
  readonly by: readonly string[]
}

export const NAMES_MAX = 100 // of one certificate; the limit of Let's Encrypt

// `configured` has the names of each certificate that nobody has to order.
export function wantedOf(
  wishes: readonly CertificateWish[],
  configured: readonly (readonly string[])[],
  isPossible: (wanted: Wanted) => boolean = () => true,
): Wanted[] {
  const found = new Map<string, Wanted>()
  const given = new Set(configured.flat())
  for (const wish of wishes) {
    const names = [...new Set(wish.names.map(canonicalName))].filter((name) => name !== '')
    const open = names.filter((name) => !isCovered(given, name))
    if (open.length === 0) continue
    const key = `${wish.resolver} ${open.toSorted().join(' ')}`
    const known = found.get(key)
    const by = [...(known?.by ?? []), wish.by]
    found.set(key, { key, resolver: wish.resolver, names: known?.names ?? open, by })
  }
  return withoutCovered([...found.values()], isPossible)
}

function withoutCovered(all: readonly Wanted[], isPossible: (wanted: Wanted) => boolean): Wanted[] {
  const kept: Wanted[] = []
  const widestFirst = all.toSorted(
    (one, other) => wildcardsIn(other) - wildcardsIn(one) || other.names.length - one.names.length,
  )
  const covered = new Map<string, Set<string>>() // resolver -> names; thousands of wishes are no list to search
  for (const one of widestFirst) {
    const names = covered.get(one.resolver) ?? new Set()
    covered.set(one.resolver, names)
    if (one.names.every((name) => isCovered(names, name))) continue
    kept.push(one)
    if (!isPossible(one)) continue // it will be refused, so it covers nobody
    for (const name of one.names) names.add(name)
  }
  return kept
}

function isCovered(names: ReadonlySet<string>, name: string): boolean {
  return keysOf(name).some((key) => names.has(key))
}

// What a certificate may have to cover a name: itself, or a wildcard in the place of its first label.
export function keysOf(name: string): string[] {
  const dot = name.indexOf('.')
  return dot > 0 && isIP(name) === 0 ? [name, `*${name.slice(dot)}`] : [name]
}

function wildcardsIn({ names }: Wanted): number {
  return names.filter((name) => name.startsWith('*.')).length
}

// Lower case, ASCII, without a trailing dot; '' for what is no name.
export function canonicalName(text: string): string {
  const plain = text.trim().replace(/\.$/, '')
  if (isIP(plain) !== 0) return plain.toLowerCase()
  const wildcard = plain.startsWith('*.') ? '*.' : ''
  const ascii = domainToASCII(plain.slice(wildcard.length)).toLowerCase()
  return ascii === '' || ascii.includes('*') ? '' : wildcard + ascii
}

// Why no authority would issue it; '' when nothing speaks against it.
export function refusalOf(names: readonly string[], isDns: boolean): string {
  if (names.length > NAMES_MAX) return `${names.length} names; ${NAMES_MAX} are the limit`
  const wildcard = names.find((name) => name.startsWith('*.'))
  if (wildcard !== undefined && !isDns) return `${wildcard}: a wildcard needs a dnsChallenge`
  const odd = names.find((name) => isIP(name) === 0 && !isHostName(name))
  return odd === undefined ? '' : `${odd} is no name of a public host`
}

function isHostName(name: string): boolean {
  const labels = name.replace(/^\*\./, '').split('.')
  if (labels.length < 2 || name.length > 253) return false
  return labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
}
