// core/rate/source.ts: whom a request is counted for: Traefik's sourceCriterion, and keys made of several parts.
//
// Hot: yes. A criterion of one part gives the part itself. What a client can't be told by (a header that is missing, or that
// stands there twice, where servers differ in which one they read) is '' and counted together: a client gains nothing by
// sending it twice, or in another spelling, or longer than SOURCE_LENGTH_MAX.

import type { Exchange } from '../exchange.ts'
import { SourceAddress } from '../middleware/source-address.ts'
import type { IpStrategyOptions } from '../middleware/source-address.ts'

export interface SourceCriterionOptions {
  readonly ipStrategy?: IpStrategyOptions | null | undefined
  readonly requestHeaderName?: string | undefined
  readonly requestHost?: boolean | undefined
  readonly keys?: readonly string[] | undefined
}

export const SOURCE_LENGTH_MAX = 8192
export const KEYS_MAX = 8

const IP = 0
const HOST = 1
const HEADER = 2
const FIRST_HEADER = 3 // of several the first, as Traefik reads requestHeaderName
const QUERY = 4
const COOKIE = 5

interface Part {
  readonly kind: number
  readonly name: string
}

const named = new Map([
  ['header', HEADER],
  ['query', QUERY],
  ['cookie', COOKIE],
])

// 'ip', 'host', 'header.X-Tenant', 'query.plan', 'cookie.account'; null for anything else.
export function parseKey(text: string): Part | null {
  if (text === 'ip') return { kind: IP, name: '' }
  if (text === 'host') return { kind: HOST, name: '' }
  const match = /^(header|query|cookie)\.([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100})$/.exec(text)
  if (match === null) return null
  const [, kind = '', name = ''] = match
  return { kind: named.get(kind)!, name: kind === 'header' ? name.toLowerCase() : name }
}

export class Source {
  private readonly parts: readonly Part[]
  private readonly address: SourceAddress

  // `byDefault`: what counts when the criterion says nothing.
  constructor(options: SourceCriterionOptions | null | undefined, byDefault: 'ip' | 'host') {
    this.address = new SourceAddress(options?.ipStrategy)
    this.parts = partsOf(options, byDefault)
  }

  of(exchange: Exchange): string {
    let source = this.part(exchange, this.parts[0]!)
    // No part holds a line feed: neither a head nor what is decoded of a query.
    for (let i = 1; i < this.parts.length; i++) source += '\n' + this.part(exchange, this.parts[i]!)
    return source.length > SOURCE_LENGTH_MAX ? '' : source
  }

  private part(exchange: Exchange, { kind, name }: Part): string {
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
      default:
        return onlyIn(onlyHeader(exchange, 'cookie'), ';', name, false)
    }
  }
}

function partsOf(
  options: SourceCriterionOptions | null | undefined,
  byDefault: 'ip' | 'host',
): readonly Part[] {
  const keys = options?.keys ?? []
  if (keys.length > 0) return keys.map((key) => parseKey(key)!)
  const header = options?.requestHeaderName ?? ''
  if (header !== '') return [{ kind: FIRST_HEADER, name: header.toLowerCase() }]
  const hasStrategy = options?.ipStrategy !== undefined && options.ipStrategy !== null
  if (hasStrategy) return [{ kind: IP, name: '' }]
  if (options?.requestHost === true) return [{ kind: HOST, name: '' }]
  return [{ kind: byDefault === 'ip' ? IP : HOST, name: '' }]
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
