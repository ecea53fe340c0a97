// core/tls/sni.ts: a table from the names of hosts to values: certificates, options, routers.
//
// Owner:  whoever builds it, once per generation; not changed while it is looked at. Hot: no, once per
//         connection (a Map and at most one slice).
//
// An exact name wins over a wildcard, and a wildcard stands for exactly one label (RFC 9525 section 6.3):
// '*.example.org' has a.example.org, neither example.org nor a.b.example.org. Names that are none (NUL,
// empty labels, bytes beyond ASCII) are not in any table, and can't be put into one.

import { nameOfText } from './server-name.ts'

export class NameTable<Value> {
  private readonly exact = new Map<string, Value>()
  private readonly wildcards = new Map<string, Value>() // by what follows the star: '.example.org'

  // 'Example.org', '*.example.org'; in any case, with or without a trailing dot. False when it is no name.
  // What was there before is replaced.
  set(name: string, value: Value): boolean {
    const isWildcard = name.startsWith('*.')
    const plain = nameOfText(isWildcard ? name.slice(2) : name)
    if (plain === null) return false
    if (isWildcard) this.wildcards.set('.' + plain, value)
    else this.exact.set(plain, value)
    return true
  }

  // What a client that asks for `name` gets; null when there is nothing.
  lookup(name: string): Value | null {
    const plain = nameOfText(name)
    if (plain === null) return null
    return this.exact.get(plain) ?? this.lookupWildcard(plain)
  }

  // The value of exactly this entry, a wildcard's too.
  get(name: string): Value | null {
    const isWildcard = name.startsWith('*.')
    const plain = nameOfText(isWildcard ? name.slice(2) : name)
    if (plain === null) return null
    return (isWildcard ? this.wildcards.get('.' + plain) : this.exact.get(plain)) ?? null
  }

  get size(): number {
    return this.exact.size + this.wildcards.size
  }

  private lookupWildcard(name: string): Value | null {
    const dot = name.indexOf('.')
    return dot < 0 ? null : (this.wildcards.get(name.slice(dot)) ?? null)
  }
}
