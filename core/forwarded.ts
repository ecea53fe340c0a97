// core/forwarded.ts: the headers that tell a server who asked: removed from untrusted peers, rebuilt here.
//
// Hot: yes. stripManaged runs only when the parser saw a managed name or an alias; forwardedLines runs
// once per request, and for a keep-alive client that sends none of them it is one comparison, because the
// lines of the last request of the connection are kept (ForwardedCache).

import type { AddressSet } from './address.ts'
import { SAW_MANAGED, SAW_UPGRADE, type Exchange } from './exchange.ts'
import {
  HOST,
  MANAGED_FIRST,
  MANAGED_LAST,
  UNKNOWN,
  X_FORWARDED_FOR,
  X_FORWARDED_HOST,
  X_FORWARDED_PORT,
  X_FORWARDED_PROTO,
  X_FORWARDED_SCHEME,
  X_FORWARDED_SERVER,
  X_REAL_IP,
  X_SCHEME,
  headerIdOf,
  headerNames,
} from './header-ids.ts'
import type { Head } from './headers.ts'
import { ownCopy, portOf } from './normalise-host.ts'
import { isWebSocket } from './request-protocol.ts'

export interface ForwardedPolicy {
  readonly insecure: boolean // every peer is trusted
  readonly trusted: AddressSet | null
  readonly notAppendXForwardedFor: boolean
  readonly addScheme: boolean // X-Forwarded-Scheme and X-Scheme
  readonly serverName: string // X-Forwarded-Server; '' for none
  readonly port: string // when the authority names none; '' = that of the scheme, as Traefik does
}

// One per connection, owned by it, so that client address and security need no comparison. The lines are the
// same for every request but for the host, which stands between `before` and `after`.
export class ForwardedCache {
  policy: ForwardedPolicy | null = null
  before = ''
  after = '' // for an authority without a port
  authority = '' // of `lines`: an authority with a port changes a second line
  lines = ''
}

export function isTrusted(policy: ForwardedPolicy, address: string): boolean {
  return policy.insecure || (policy.trusted !== null && policy.trusted.contains(address))
}

// Drops the managed headers of an untrusted peer. Aliases ("X_Forwarded_For", "X.Real.Ip", which some
// servers read as the real name) are dropped whoever sent them, those of framing headers too.
export function stripManaged(exchange: Exchange, trusted: boolean): void {
  const head = exchange.request
  for (let line = 0; line < head.count; line++) {
    const id = head.ids[line]!
    if (id === UNKNOWN) {
      if (isAlias(head, line)) head.drop(line)
    } else if (!trusted && id >= MANAGED_FIRST && id <= MANAGED_LAST) head.drop(line)
  }
}

function isAlias(head: Head, line: number): boolean {
  const name = head.spellingAt(line)
  if (!name.includes('_') && !name.includes('.')) return false
  const id = headerIdOf(name.toLowerCase().replace(/[_.]/g, '-'))
  return id >= HOST && id <= MANAGED_LAST
}

// The header lines to append, each with CR LF. Managed headers that are still there came from a trusted
// peer or a middleware and stay as they are; X-Forwarded-For is taken out of the head and extended.
export function forwardedLines(
  exchange: Exchange,
  policy: ForwardedPolicy,
  cache: ForwardedCache | null = null,
): string {
  const upgrades = (exchange.facts & SAW_UPGRADE) !== 0
  const given = (exchange.facts & SAW_MANAGED) !== 0 || hasDecisiveExtra(exchange.request)
  if (cache === null || given || upgrades) return linesFor(exchange, policy)
  if (cache.policy !== policy) fillCache(exchange, policy, cache)
  const { authority } = exchange
  if (cache.authority === authority) return cache.lines
  if (authority !== '' && !authority.includes(':')) return cache.before + authority + cache.after
  cache.lines = linesFor(exchange, policy)
  cache.authority = ownCopy(authority)
  return cache.lines
}

// Whether a middleware has set one of the headers that linesFor looks at. Most set others: these cost a look, no lines.
function hasDecisiveExtra(head: Head): boolean {
  for (let i = 0; i < head.extraCount; i++) {
    const first = head.extraNames[i]!.charCodeAt(0) | 32
    if (first === LETTER_X && isDecisive(head.extraId(i))) return true
  }
  return false
}

const LETTER_X = 120

function isDecisive(id: number): boolean {
  switch (id) {
    case X_FORWARDED_FOR:
    case X_FORWARDED_HOST:
    case X_FORWARDED_PORT:
    case X_FORWARDED_PROTO:
    case X_FORWARDED_SCHEME:
    case X_FORWARDED_SERVER:
    case X_REAL_IP:
    case X_SCHEME:
      return true
    default:
      return false
  }
}

// Makes the lines for a host that no client can send, and cuts them where it stands.
function fillCache(exchange: Exchange, policy: ForwardedPolicy, cache: ForwardedCache): void {
  const { authority } = exchange
  exchange.authority = PLACE
  const lines = linesFor(exchange, policy)
  exchange.authority = authority
  const at = lines.indexOf(PLACE)
  cache.before = ownCopy(lines.slice(0, at))
  cache.after = ownCopy(lines.slice(at + PLACE.length))
  cache.policy = policy
  cache.authority = PLACE
}

const PLACE = '{host}'

// What a managed header is going to say when the request brought none: rules on it see that, as they do
// in Traefik. '' for those that only forwardedLines knows (X-Forwarded-For is not there yet in Traefik
// either, X-Forwarded-Server is the same for every request).
export function impliedValue(exchange: Exchange, id: number): string {
  const head = exchange.request
  if (id === X_FORWARDED_HOST) return exchange.authority
  if (id === X_REAL_IP) return withoutZone(exchange.clientAddress)
  const proto = valueOf(head, X_FORWARDED_PROTO) || protoOf(exchange)
  if (id === X_FORWARDED_PROTO) return proto
  return id === X_FORWARDED_PORT ? portFor(exchange, '', proto) : ''
}

function linesFor(exchange: Exchange, policy: ForwardedPolicy): string {
  const head = exchange.request
  const address = withoutZone(exchange.clientAddress)
  const proto = valueOf(head, X_FORWARDED_PROTO) || protoOf(exchange)
  let lines = ''
  if (!policy.notAppendXForwardedFor) lines += extendedFor(head, address)
  lines += missing(head, X_FORWARDED_HOST, 'X-Forwarded-Host', exchange.authority)
  lines += missing(
    head,
    X_FORWARDED_PORT,
    'X-Forwarded-Port',
    portFor(exchange, policy.port, proto),
  )
  lines += missing(head, X_FORWARDED_PROTO, 'X-Forwarded-Proto', proto)
  if (policy.addScheme) {
    lines += replaced(head, X_FORWARDED_SCHEME, 'X-Forwarded-Scheme', proto)
    lines += replaced(head, X_SCHEME, 'X-Scheme', proto)
  }
  lines += replaced(head, X_FORWARDED_SERVER, 'X-Forwarded-Server', policy.serverName)
  return lines + missing(head, X_REAL_IP, 'X-Real-Ip', address)
}

// The list becomes one line of the head, since some servers read the first line only. A retry calls
// again and must not extend it twice: the first call leaves no line that arrived, only the extra.
function extendedFor(head: Head, address: string): string {
  const given = head.getAll('x-forwarded-for').filter((value) => value !== '')
  if (given.length === 0) return fieldLine('X-Forwarded-For', address)
  const joined = given.join(', ')
  const tail = ', ' + address
  head.set('X-Forwarded-For', joined.endsWith(tail) && isOurs(head) ? joined : joined + tail)
  return ''
}

function isOurs(head: Head): boolean {
  return head.lineOf(X_FORWARDED_FOR) < 0
}

function missing(head: Head, id: number, name: string, value: string): string {
  return value === '' || valueOf(head, id) !== '' ? '' : fieldLine(name, value)
}

function replaced(head: Head, id: number, name: string, value: string): string {
  if (value === '') return ''
  head.remove(headerNames[id]!)
  return fieldLine(name, value)
}

function fieldLine(name: string, value: string): string {
  return name + ': ' + value + '\r\n'
}

function valueOf(head: Head, id: number): string {
  const at = head.lineOf(id)
  if (at >= 0) return head.valueAt(at)
  return head.extraCount === 0 ? '' : (head.get(headerNames[id]!) ?? '')
}

function protoOf(exchange: Exchange): string {
  if (isWebSocket(exchange)) return exchange.secure ? 'wss' : 'ws'
  return exchange.secure ? 'https' : 'http'
}

// '' for a port that nobody has configured.
export function portFor(exchange: Exchange, port: string, proto: string): string {
  const named = portOf(exchange.authority)
  if (named !== '') return named
  if (port !== '') return port
  return proto === 'https' || proto === 'wss' || exchange.secure ? '443' : '80'
}

function withoutZone(address: string): string {
  const zone = address.indexOf('%')
  return zone < 0 ? address : address.slice(0, zone)
}
