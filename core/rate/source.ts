// core/rate/source.ts: whom a request is counted for: Traefik's sourceCriterion, and keys made of several parts.
//
// Hot: yes. A criterion of one part gives the part itself. What a client can't be told by (a header that is missing, or that
// stands there twice, where servers differ in which one they read) is '' and counted together: a client gains nothing by
// sending it twice, or in another spelling, or longer than SOURCE_LENGTH_MAX. A claim is another matter: whoever brings
// none is counted by his address, so that one of them can't use up what all have who are yet to log in.

import type { Exchange } from '../exchange.ts'
import { SourceAddress } from '../middleware/source-address.ts'
import type { IpStrategyOptions } from '../middleware/source-address.ts'
import { claimOf, parseClaimPath } from './claim.ts'

export interface SourceCriterionOptions {
  readonly ipStrategy?: IpStrategyOptions | null | undefined
  readonly requestHeaderName?: string | undefined
  readonly requestHost?: boolean | undefined
  readonly keys?: readonly string[] | undefined
  readonly jwtHeader?: string | undefined // where the JWT of a claim stands
}

export const SOURCE_LENGTH_MAX = 8192
export const KEYS_MAX = 8

const IP = 0
const HOST = 1
const HEADER = 2
const FIRST_HEADER = 3 // of several the first, as Traefik reads requestHeaderName
const QUERY = 4
const COOKIE = 5
const CLAIM = 6

interface Part {
  readonly kind: number
  readonly name: string
  readonly path: readonly string[] // of a claim
}

const named = new Map([
  ['header', HEADER],
  ['query', QUERY],
  ['cookie', COOKIE],
])

export const CLAIM_PREFIX = 'jwtClaim.'
const CLAIM_LENGTH_MAX = 200

const nowhere: readonly string[] = []
const partOf = (kind: number, name = ''): Part => ({ kind, name, path: nowhere })

// 'ip', 'host', 'header.X-Tenant', 'query.plan', 'cookie.account', 'jwtClaim.sub'; null for anything else.
export function parseKey(text: string): Part | null {
  if (text === 'ip') return partOf(IP)
  if (text === 'host') return partOf(HOST)
  if (text.startsWith(CLAIM_PREFIX)) {
    const path = parseClaimPath(text.slice(CLAIM_PREFIX.length))
    return path === null || text.length > CLAIM_LENGTH_MAX ? null : { kind: CLAIM, name: '', path }
  }
  const match = /^(header|query|cookie)\.([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100})$/.exec(text)
  if (match === null) return null
  const [, kind = '', name = ''] = match
  return partOf(named.get(kind)!, kind === 'header' ? name.toLowerCase() : name)
}

export class Source {
  private readonly parts: readonly Part[]
  private readonly address: SourceAddress
  private readonly jwtHeader: string

  // `byDefault`: what counts when the criterion says nothing.
  constructor(options: SourceCriterionOptions | null | undefined, byDefault: 'ip' | 'host') {
    this.address = new SourceAddress(options?.ipStrategy)
    this.jwtHeader = (options?.jwtHeader ?? 'authorization').toLowerCase()
    this.parts = partsOf(options, byDefault)
  }

  of(exchange: Exchange): string {
    let source = this.part(exchange, this.parts[0]!)
    // No part holds a line feed: neither a head nor what is decoded of a query.
    for (let i = 1; i < this.parts.length; i++) source += '\n' + this.part(exchange, this.parts[i]!)
    return source.length > SOURCE_LENGTH_MAX ? '' : source
  }

  private part(exchange: Exchange, { kind, name, path }: Part): string {
    switch (kind) {
      case IP:
        return this.address.of(exchange)
      case HOST:
        return exchange.host // without port and in lower case: spellings of it do not multiply the limit
      case HEADER:
        return onlyHeader(exchange, name)
      case FIRST_HEADER:
        return exchange.request.get(name) ?? ''
      case QUERY:
        return onlyIn(exchange.query, '&', name, true)
      case COOKIE:
        return onlyIn(onlyHeader(exchange, 'cookie'), ';', name, false)
      default:
        return this.claim(exchange, path)
    }
  }

  // The words tell the two apart: a claim may look like an address, and would use up what that address has.
  private claim(exchange: Exchange, path: readonly string[]): string {
    const found = claimOf(onlyHeader(exchange, this.jwtHeader), path)
    return found === null ? 'no claim ' + this.address.of(exchange) : 'claim ' + found
  }
}

function partsOf(
  options: SourceCriterionOptions | null | undefined,
  byDefault: 'ip' | 'host',
): readonly Part[] {
  const keys = options?.keys ?? []
  if (keys.length > 0) return keys.map((key) => parseKey(key)!)
  const header = options?.requestHeaderName ?? ''
  if (header !== '') return [partOf(FIRST_HEADER, header.toLowerCase())]
  const hasStrategy = options?.ipStrategy !== undefined && options.ipStrategy !== null
  if (hasStrategy) return [partOf(IP)]
  if (options?.requestHost === true) return [partOf(HOST)]
  return [partOf(byDefault === 'ip' ? IP : HOST)]
}

function onlyHeader(exchange: Exchange, name: string): string {
  const lines = exchange.request.getAll(name)
  return lines.length === 1 ? lines[0]! : ''
}

// The value of name=value among pieces; '' when it is not there exactly once.
function onlyIn(text: string, separator: string, name: string, isQuery: boolean): string {
  let found: string | null = null
  for (let from = 0; from < text.length;) {
    let to = text.indexOf(separator, from)
    if (to < 0) to = text.length
    const equals = text.indexOf('=', from)
    if (equals >= 0 && equals < to && plain(text.slice(from, equals), isQuery) === name) {
      if (found !== null) return ''
      found = plain(text.slice(equals + 1, to), isQuery)
    }
    from = to + 1
  }
  return found ?? ''
}

// As a server reads it: %61 and a are one value. What can't be decoded, or decodes to a control, counts as nothing.
function plain(text: string, isQuery: boolean): string {
  if (!isQuery) return text.trim()
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '))
    return decoded.includes('\n') ? '' : decoded
  } catch {
    return ''
  }
}
