// core/balance/sticky.ts: a cookie that brings a client back to the server that it had, with Traefik's names and values, so
// that a Traefik and a Sluice side by side agree.
//
// Owner:  a service of a generation. Values and lines are made with it; a request costs a look at its cookies.
// Hot:    yes, for services that are sticky.
//
// The value is the first 16 hexadecimal digits of the SHA-256 of the server's URL, or of a child service's name as it is
// written. What older versions wrote is understood and written anew: the plain name, and its FNV once and twice.

import type { Exchange } from '../exchange.ts'
import { cookieOf } from './cookie.ts'
import { fnv1Hex } from './fnv.ts'

export interface StickyOptions {
  readonly cookie: string // its name
  readonly attributes: string // '; Path=/; HttpOnly'
  readonly values: readonly string[] // by server or child
  readonly names: readonly string[] // what the values were made of
}

export class Sticky {
  readonly cookie: string
  isCurrent = false // after find(): the cookie has the value that is written today
  private readonly lines: readonly string[] // Set-Cookie, by server or child
  private readonly known = new Map<string, number>()
  private readonly older = new Map<string, number>()

  // `weights`: what has none is nobody's, as in Traefik, and a cookie that names it says nothing.
  constructor({ cookie, attributes, values, names }: StickyOptions, weights: readonly number[]) {
    this.cookie = cookie
    this.lines = values.map((value) => `${cookie}=${value}${attributes}`)
    values.forEach((value, index) => {
      if (weights[index]! <= 0) return
      this.known.set(value, index)
      for (const old of olderValues(names[index]!)) this.older.set(old, index)
    })
  }

  // Who the cookie of the request names; -1 without one, or when it names nobody.
  find(exchange: Exchange): number {
    const value = cookieOf(exchange.request, this.cookie)
    if (value === null) return -1
    const index = this.known.get(value)
    this.isCurrent = index !== undefined
    return index ?? this.older.get(value) ?? -1
  }

  lineOf(index: number): string {
    return this.lines[index]!
  }
}

function olderValues(name: string): string[] {
  const once = fnv1Hex(encoder.encode(name))
  return [name, once, fnv1Hex(encoder.encode(once))]
}

const encoder = new TextEncoder()

// The cookies that the response is to set, innermost service first; null: none.
export interface Stuck {
  readonly sticky: Sticky
  readonly index: number
  readonly outer: Stuck | null
}

// Another attempt has gone to another server: the cookie follows it.
export function stuckTo(stuck: Stuck | null, sticky: Sticky, index: number): Stuck {
  return { sticky, index, outer: without(stuck, sticky) }
}

// There are as many as sticky services on the way, which config bounds.
export function without(stuck: Stuck | null, sticky: Sticky): Stuck | null {
  if (stuck === null) return null
  if (stuck.sticky === sticky) return stuck.outer
  const outer = without(stuck.outer, sticky)
  return outer === stuck.outer ? stuck : { ...stuck, outer }
}
