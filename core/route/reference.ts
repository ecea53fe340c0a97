// core/route/reference.ts: what the matcher must equal: every rule evaluated, best first.
//
// Not hot, and of no use but to tests and doubts. Written from the rule language alone and as plainly as
// possible; it shares nothing with the matcher but the tree that the parser makes.

import { RE2JS } from 're2js'
import type { Exchange } from '../exchange.ts'
import {
  CLIENT_IP,
  HEADER,
  HEADER_REGEXP,
  HOST,
  HOST_REGEXP,
  METHOD,
  PATH,
  PATH_PREFIX,
  PATH_REGEXP,
  QUERY,
  QUERY_REGEXP,
  RULE_AND,
  RULE_LEAF,
  type RuleLeaf,
  type RuleNode,
} from './rule.ts'

export interface ReferenceRoute {
  readonly rule: RuleNode
  readonly priority: number
  readonly rank: number
  readonly name: string
}

// The name of the router that wins, or null.
export function referenceMatch(
  routes: readonly ReferenceRoute[],
  exchange: Exchange,
): string | null {
  const winners = routes.filter((route) => isTrue(route.rule, exchange))
  winners.sort((a, b) => b.priority - a.priority || a.rank - b.rank || (a.name < b.name ? -1 : 1))
  return winners.length === 0 ? null : winners[0]!.name
}

function isTrue(rule: RuleNode, exchange: Exchange): boolean {
  if (rule.op === RULE_LEAF) return isLeafTrue(rule, exchange) !== rule.negated
  return rule.op === RULE_AND
    ? rule.nodes.every((node) => isTrue(node, exchange))
    : rule.nodes.some((node) => isTrue(node, exchange))
}

function isLeafTrue(leaf: RuleLeaf, exchange: Exchange): boolean {
  const { value } = leaf
  switch (leaf.matcher) {
    case HOST:
      return isHost(value.split('.'), exchange.host)
    case HOST_REGEXP:
      return isFound(value, exchange.host)
    case PATH:
      return exchange.routingPath === value
    case PATH_PREFIX:
      return exchange.routingPath.slice(0, value.length) === value
    case PATH_REGEXP:
      return isFound(value, exchange.routingPath)
    case METHOD:
      return exchange.method === value
    case HEADER:
      return headersOf(leaf.name, exchange).includes(value)
    case HEADER_REGEXP:
      return headersOf(leaf.name, exchange).some((found) => isFound(value, found))
    case QUERY:
      return parametersOf(leaf.name, exchange.query).includes(value)
    case QUERY_REGEXP:
      return parametersOf(leaf.name, exchange.query).some((found) => isFound(value, found))
    case CLIENT_IP:
      return isInside(value, exchange.clientAddress)
    default:
      return false
  }
}

function isHost(labels: readonly string[], host: string): boolean {
  if (host === '') return false
  if (labels.length === 1 && labels[0] === '*') return true
  const given = host.split('.')
  return (
    given.length === labels.length &&
    labels.every((label, i) => label === given[i] || (label === '*' && i === 0 && given[i] !== ''))
  )
}

function isFound(source: string, text: string): boolean {
  return RE2JS.compile(source).matcher(text).find()
}

// Traefik's matchers do not see Host among the headers.
function headersOf(name: string, exchange: Exchange): string[] {
  return name === 'host' ? [] : exchange.request.getAll(name)
}

function parametersOf(key: string, query: string): string[] {
  const values: string[] = []
  for (const pair of query.split('&')) {
    if (pair === '' || pair.includes(';')) continue
    const [rawKey, ...rest] = pair.split('=')
    const decodedKey = decoded(rawKey!)
    const value = decoded(rest.join('='))
    if (decodedKey === key && value !== null) values.push(value)
  }
  return values
}

function decoded(raw: string): string | null {
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '))
  } catch {
    return null
  }
}

// Dotted IPv4 only, which is all that the property test asks about.
function isInside(cidr: string, address: string): boolean {
  const [base, width = '32'] = cidr.split('/')
  return bitsOf(base!).slice(0, Number(width)) === bitsOf(address).slice(0, Number(width))
}

function bitsOf(address: string): string {
  const bytes = address.split('.').map((part) => Number(part).toString(2).padStart(8, '0'))
  return bytes.join('')
}
