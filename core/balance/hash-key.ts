// core/balance/hash-key.ts: what of a request decides where hrw and maglev send it: a header, a cookie, a parameter of
// the query, or the address of the client, which also stands in for what the request does not have.
//
// Hot: yes, for these strategies. The hash of the key is made once per pick.

import type { Exchange } from '../exchange.ts'
import { cookieOf } from './cookie.ts'
import { Fnv64, mixed } from './fnv.ts'

export type HashOn =
  | { readonly from: 'ip' }
  | { readonly from: 'header'; readonly name: string } // in lower case
  | { readonly from: 'cookie'; readonly name: string }
  | { readonly from: 'query'; readonly name: string }

const KEY_MAX = 4096 // characters that count; longer keys that begin alike go the same way

export class HashKey {
  readonly hash = new Fnv64()
  private readonly on: HashOn

  constructor(on: HashOn) {
    this.on = on
  }

  // Leaves the FNV-1a of the key in `hash`.
  read(exchange: Exchange): void {
    const key = this.keyOf(exchange)
    this.hash.reset()
    this.hash.addText(key, 0, Math.min(key.length, KEY_MAX))
  }

  // Of the same key always the same number, within [0, 1), and another one than decides the server.
  lot(exchange: Exchange): number {
    this.read(exchange)
    return mixed(this.hash.low + 0x7f4a7c15) / 0x100000000
  }

  keyOf(exchange: Exchange): string {
    return this.ownKeyOf(exchange) || exchange.clientAddress
  }

  describe(exchange: Exchange): string {
    const { on } = this
    if (on.from === 'ip') return 'the address of the client'
    const what = `${on.from === 'query' ? 'parameter' : on.from} ${on.name}`
    return this.ownKeyOf(exchange) ? what : `the address of the client, as there is no ${what}`
  }

  private ownKeyOf(exchange: Exchange): string | null {
    const { on } = this
    switch (on.from) {
      case 'ip':
        return null
      case 'header':
        return exchange.request.get(on.name)
      case 'cookie':
        return cookieOf(exchange.request, on.name)
      case 'query':
        return parameterOf(exchange.query, on.name)
    }
  }
}

// The first value of a key, as it is written: escapes are compared, not decoded, so "%61" is not "a".
function parameterOf(query: string, name: string): string | null {
  for (let start = 0; start < query.length;) {
    let end = query.indexOf('&', start)
    if (end < 0) end = query.length
    const value = start + name.length + 1
    if (value <= end && query.startsWith(name, start) && query.charCodeAt(value - 1) === EQUALS)
      return query.slice(value, end)
    start = end + 1
  }
  return null
}

const EQUALS = 61
