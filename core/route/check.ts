// core/route/check.ts: what each matcher of the rule language takes, and the checks of its arguments.
//
// Not hot. Everything that could make a router behave otherwise than written is refused here, with the
// offset of the argument, so that the matcher can trust its leaves.

import { parseCidr } from '../address.ts'
import { compileRegex } from '../regex.ts'
import { RuleError, type Token } from './tokens.ts'
import {
  ALPN,
  CLIENT_IP,
  HEADER,
  HEADER_REGEXP,
  HOST,
  HOST_REGEXP,
  HOST_SNI,
  HOST_SNI_REGEXP,
  METHOD,
  PATH,
  PATH_PREFIX,
  PATH_REGEXP,
  QUERY,
  QUERY_REGEXP,
  RULE_LEAF,
  matcherNames,
  type MatcherId,
  type RuleKind,
  type RuleLeaf,
} from './rule.ts'

const httpMatchers: readonly MatcherId[] = [
  HOST,
  HOST_REGEXP,
  PATH,
  PATH_PREFIX,
  PATH_REGEXP,
  METHOD,
  HEADER,
  HEADER_REGEXP,
  QUERY,
  QUERY_REGEXP,
  CLIENT_IP,
]
const tcpMatchers: readonly MatcherId[] = [HOST_SNI, HOST_SNI_REGEXP, CLIENT_IP, ALPN]

const spellings = { http: spellingsOf(httpMatchers), tcp: spellingsOf(tcpMatchers) }

// Traefik registers each name as written, in lower, upper and title case ("Hostregexp").
function spellingsOf(matchers: readonly MatcherId[]): Map<string, MatcherId> {
  const map = new Map<string, MatcherId>()
  for (const id of matchers) {
    const name = matcherNames[id]
    const lower = name.toLowerCase()
    const title = lower[0]!.toUpperCase() + lower.slice(1)
    for (const spelling of [name, lower, name.toUpperCase(), title]) map.set(spelling, id)
  }
  return map
}

// Fewest and most arguments.
function arityOf(matcher: MatcherId): readonly [number, number] {
  if (matcher === HEADER || matcher === HEADER_REGEXP) return [2, 2]
  if (matcher === QUERY || matcher === QUERY_REGEXP) return [1, 2]
  return [1, 1]
}

export function checkedLeaf(
  name: Token,
  args: readonly Token[],
  negated: boolean,
  kind: RuleKind,
): RuleLeaf {
  const matcher = matcherOf(name, kind)
  const [fewest, most] = arityOf(matcher)
  if (args.length < fewest || args.length > most) {
    const wanted = fewest === most ? `${fewest}` : `${fewest} or ${most}`
    throw new RuleError(`${name.text} takes ${wanted} arguments, not ${args.length}`, name.offset)
  }
  for (const arg of args) {
    if (arg.text === '') throw new RuleError(`an argument of ${name.text} is empty`, arg.offset)
  }
  return leafOf(matcher, args, negated)
}

function matcherOf(name: Token, kind: RuleKind): MatcherId {
  const matcher = spellings[kind].get(name.text)
  if (matcher !== undefined) return matcher
  if (name.text.toLowerCase() === 'model') {
    throw new RuleError('Model belongs to the AI gateway, which is not built yet', name.offset)
  }
  const other = kind === 'http' ? 'tcp' : 'http'
  if (spellings[other].has(name.text)) {
    throw new RuleError(`${name.text} is a matcher of ${other} routers only`, name.offset)
  }
  const folded = [...spellings[kind]].find(([s]) => s.toLowerCase() === name.text.toLowerCase())
  const hint = folded === undefined ? '' : `; did you mean ${matcherNames[folded[1]]}?`
  throw new RuleError(`there is no matcher ${name.text}${hint}`, name.offset)
}

function leafOf(matcher: MatcherId, args: readonly Token[], negated: boolean): RuleLeaf {
  const first = args[0]!
  const second = args[1]
  if (matcher === HEADER || matcher === HEADER_REGEXP) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(first.text)) {
      throw new RuleError(`"${first.text}" is not a header name`, first.offset)
    }
    if (matcher === HEADER_REGEXP) checkRegex(second!)
    return leaf(matcher, negated, first.text.toLowerCase(), second!.text)
  }
  if (matcher === QUERY) return leaf(QUERY, negated, first.text, second?.text ?? '')
  if (matcher === QUERY_REGEXP) {
    // With one argument Traefik reads it as Query.
    if (second === undefined) return leaf(QUERY, negated, first.text, '')
    checkRegex(second)
    return leaf(QUERY_REGEXP, negated, first.text, second.text)
  }
  return leaf(matcher, negated, '', checkedValue(matcher, first))
}

function leaf(matcher: MatcherId, negated: boolean, name: string, value: string): RuleLeaf {
  return { op: RULE_LEAF, matcher, negated, name, value }
}

function checkedValue(matcher: MatcherId, arg: Token): string {
  switch (matcher) {
    case HOST:
    case HOST_SNI:
      return checkedHost(arg)
    case HOST_REGEXP:
    case HOST_SNI_REGEXP:
      checkAscii(arg)
      checkRegex(arg)
      return arg.text
    case PATH_REGEXP:
      checkRegex(arg)
      return arg.text
    case PATH:
    case PATH_PREFIX:
      if (arg.text[0] !== '/') throw new RuleError('a path must begin with "/"', arg.offset)
      return arg.text
    case METHOD:
      return arg.text.toUpperCase()
    case CLIENT_IP:
      if (parseCidr(arg.text) !== null) return arg.text
      throw new RuleError(`"${arg.text}" is not an address or CIDR`, arg.offset)
    default:
      return checkedProtocol(arg)
  }
}

// "*" may stand alone or as the whole first label; anywhere else it would never match.
function checkedHost(arg: Token): string {
  checkAscii(arg)
  // Canonical hosts have no trailing dot and no brackets around IPv6 (core/normalise-host.ts).
  const host = arg.text
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[(.*)\]$/, '$1')
  const tail = host.startsWith('*.') ? host.slice(2) : host
  if (host !== '*' && (tail === '' || tail.includes('*'))) {
    throw new RuleError('"*" may only stand alone or as the first label of a host', arg.offset)
  }
  return host
}

function checkedProtocol(arg: Token): string {
  if (arg.text === 'acme-tls/1') {
    throw new RuleError('ALPN may not be acme-tls/1: it belongs to certificates', arg.offset)
  }
  return arg.text
}

function checkAscii(arg: Token): void {
  for (let i = 0; i < arg.text.length; i++) {
    if (arg.text.charCodeAt(i) > 0x7e || arg.text.charCodeAt(i) < 0x21) {
      throw new RuleError('a host must be ASCII without spaces; write it in punycode', arg.offset)
    }
  }
}

function checkRegex(arg: Token): void {
  try {
    compileRegex(arg.text)
  } catch (error) {
    throw new RuleError(error instanceof Error ? error.message : 'bad expression', arg.offset)
  }
}
