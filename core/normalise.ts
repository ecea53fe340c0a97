// core/normalise.ts: what is matched is what is sent.
//
// Hot: yes, once per request, between the parser and the matcher. A plain origin-form target costs two
// slices; the rest is done only for what the parser noted in exchange.facts.

import {
  ENCODED_CHARACTER,
  NONE,
  PATH_ENCODING,
  REQUEST_TARGET,
  REWRITE_INVALID,
  UNDERSCORE_HEADER,
} from './errors.ts'
import {
  FORM_ASTERISK,
  FORM_AUTHORITY,
  FORM_ORIGIN,
  METHOD_OPTIONS,
  SAW_ALIAS,
  SAW_NOMINATED,
  SAW_PATH_ODD,
  SAW_SEMICOLON,
  type Exchange,
} from './exchange.ts'
import { dropNominated } from './h1/hop-by-hop.ts'
import { DROPPED, HOST } from './header-ids.ts'
import { NO_SLOT, canonicalHost, hostAt, hostSlotOf } from './normalise-host.ts'
import {
  ALLOW_ALL,
  collapseSegments,
  deniedEncoding,
  hasDotParameters,
  hasDotSegment,
  legalPath,
  normaliseEscapes,
  routingPathOf,
} from './normalise-path.ts'

export {
  ALLOW_ALL,
  ALLOW_BACKSLASH,
  ALLOW_HASH,
  ALLOW_NULL,
  ALLOW_PERCENT,
  ALLOW_QUESTION_MARK,
  ALLOW_SEMICOLON,
  ALLOW_SLASH,
  deniedEncoding,
} from './normalise-path.ts'

export interface EntryPointPolicy {
  readonly sanitizePath: boolean
  readonly encodeQuerySemicolons: boolean
  readonly allowEncoded: number // ALLOW_* bits of the escapes that may stand in a path
  readonly underscoreHeaders: 'keep' | 'delete' | 'reject'
  readonly connectionHeaders: ReadonlySet<string> | null // what Connection names and rules still see; lower case
}

export const defaultPolicy: EntryPointPolicy = {
  sanitizePath: true,
  encodeQuerySemicolons: false,
  allowEncoded: ALLOW_ALL,
  underscoreHeaders: 'keep',
  connectionHeaders: null,
}

// Sets host, authority, path, routingPath, query, hasQuery and pathChanged. Returns NONE or an error code.
export function normalise(exchange: Exchange, policy: EntryPointPolicy): number {
  const { facts } = exchange
  setHost(exchange)
  if ((facts & SAW_ALIAS) !== 0 && policy.underscoreHeaders !== 'keep') {
    if (meetsUnderscore(exchange, policy.underscoreHeaders)) return UNDERSCORE_HEADER
  }
  // What a client means for this connection only is nothing that a rule or a middleware should go by.
  if ((facts & SAW_NOMINATED) !== 0) dropNominated(exchange.request, policy.connectionHeaders)
  cutTarget(exchange)
  if ((facts & SAW_SEMICOLON) !== 0) rewriteSemicolons(exchange, policy)
  return (facts & SAW_PATH_ODD) === 0 ? NONE : normalisePath(exchange, policy)
}

// The parser has set the authority of a target that names one; it overrides Host (RFC 9112, 3.2.2).
function setHost(exchange: Exchange): void {
  if (exchange.authority === '') {
    const line = exchange.request.lineOf(HOST)
    if (line >= 0) exchange.authority = exchange.request.valueAt(line)
  }
  const slot = hostSlotOf(exchange.authority)
  exchange.hostSlot = slot
  exchange.host = slot === NO_SLOT ? canonicalHost(exchange.authority) : hostAt(slot)
}

// Path and query as they stand in the target.
function cutTarget(exchange: Exchange): void {
  const { text } = exchange.request
  const end = exchange.targetEnd
  const start = exchange.form === FORM_ORIGIN ? exchange.targetStart : pathStart(exchange)
  let question = start
  while (question < end && text.charCodeAt(question) !== 63) question++
  exchange.hasQuery = question < end
  exchange.query = question < end ? text.slice(question + 1, end) : ''
  if (question > start || exchange.form === FORM_AUTHORITY) {
    exchange.path = text.slice(start, question)
  } else {
    exchange.path = exchange.methodId === METHOD_OPTIONS && !exchange.hasQuery ? '*' : '/'
  }
  exchange.routingPath = exchange.path
}

// Where the path begins in a target that is not origin-form: after the authority of "http://host/path".
function pathStart(exchange: Exchange): number {
  const { text } = exchange.request
  const end = exchange.targetEnd
  if (exchange.form === FORM_ASTERISK) return exchange.targetStart
  if (exchange.form === FORM_AUTHORITY) return end
  let at = text.indexOf('://', exchange.targetStart) + 3
  while (at < end && text.charCodeAt(at) !== 47 && text.charCodeAt(at) !== 63) at++
  return at
}

// Go's old servers split queries at ";" too; one reading is chosen here for everybody behind us.
function rewriteSemicolons(exchange: Exchange, policy: EntryPointPolicy): void {
  if (!exchange.query.includes(';')) return
  exchange.query = exchange.query.replaceAll(';', policy.encodeQuerySemicolons ? '%3B' : '&')
  exchange.pathChanged = true
}

function normalisePath(exchange: Exchange, policy: EntryPointPolicy): number {
  const raw = exchange.path
  const escaped = normaliseEscapes(raw)
  if (escaped === null) return PATH_ENCODING
  if (policy.sanitizePath && hasDotParameters(escaped)) return REQUEST_TARGET
  const path = policy.sanitizePath && escaped !== '*' ? collapseSegments(escaped) : escaped
  if (deniedEncoding(path, policy.allowEncoded)) return ENCODED_CHARACTER
  exchange.path = path
  exchange.routingPath = routingPathOf(path)
  if (path !== raw) exchange.pathChanged = true
  return NONE
}

// Only "_" is meant: names with "." are aliases, which stripManaged deals with. True means: refuse.
function meetsUnderscore(exchange: Exchange, strategy: 'delete' | 'reject'): boolean {
  const head = exchange.request
  for (let line = 0; line < head.count; line++) {
    if (head.ids[line] === DROPPED || !head.spellingAt(line).includes('_')) continue
    if (strategy === 'reject') return true
    head.drop(line)
  }
  return false
}

// For middlewares that change the path (addPrefix, stripPrefix, replacePath...). `path` is escaped text;
// what may not stand in a request line is escaped. A rewrite that would leave "." or ".." in any encoding
// is refused, since nobody has checked where that leads (CVE-2026-48020). Returns NONE or REWRITE_INVALID.
export function rewritePath(exchange: Exchange, path: string): number {
  const legal = legalRewrite(path)
  if (legal === null) return REWRITE_INVALID
  exchange.path = legal
  exchange.routingPath = routingPathOf(legal)
  exchange.pathChanged = true
  return NONE
}

// The same for a path that only a client is sent to; null for one that may not be sent.
export function legalRewrite(path: string): string | null {
  if (path.charCodeAt(0) !== 47) return null
  const legal = legalPath(path)
  return legal === null || hasDotSegment(legal) || hasDotParameters(legal) ? null : legal
}
