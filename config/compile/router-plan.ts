// config/compile/router-plan.ts: what each router says by itself: its rule, priority, references.
//
// Parents and children are looked at afterwards (router-tree.ts), when it is known which routers stand. Hot: no.

import { parseRule, rulePriority, RuleError } from '../../core/route/parse.ts'
import type { PriorityClass } from '../../core/overload/stages.ts'
import { HOST, RULE_LEAF, type RuleNode } from '../../core/route/rule.ts'
import type { RouterConfig } from '../dynamic/routers.ts'
import type { Entry } from '../merge.ts'
import type { Path } from '../problem.ts'
import { qualify, type Compilation } from './compilation.ts'
import type { Resolver } from './resolver.ts'
import type { TlsOptionsTable } from './tls/options.ts'

// MaxInt64 - 1000 as a double; what is above belongs to the gateway itself.
export const userPriorityMax = 2 ** 63 - 1024

// A router on its way to a plan. `errors` disable it, `warnings` do not.
export interface Draft {
  readonly name: string
  readonly entry: Entry<RouterConfig> | null // null for an internal one
  readonly errors: string[]
  readonly warnings: string[]
  entryPoints: readonly string[] // filled in for children when the tree is known
  rule: string
  priority: number
  rank: number
  middlewares: readonly string[]
  service: string
  priorityClass: PriorityClass | null // null: by what it serves
  tls: boolean
  tlsOptions: string // '' when it names none
  hosts: readonly string[] // of Host in its rule, when it may answer TLS
  parents: readonly string[]
  accessLogs: boolean | null // null: as the entry point says
  metrics: boolean | null
}

export function draftRouter(
  shared: Compilation,
  resolver: Resolver,
  tlsOptions: TlsOptionsTable,
  entry: Entry<RouterConfig>,
): Draft {
  const draft = emptyDraft(shared, entry)
  const config = entry.config
  if (config === null) {
    draft.errors.push(...entry.errors)
    return draft
  }
  draft.warnings.push(...entry.warnings)
  draft.rule = config.rule
  draft.priorityClass = config.priorityClass
  draft.tls = config.tls !== null
  draft.accessLogs = config.observability.accessLogs
  draft.metrics = config.observability.metrics
  if (config.tls !== null && config.tls.options !== '') {
    const key = ['tls', 'options']
    draft.tlsOptions = tlsOptions.refer(config.tls.options, entry, key, draft.errors)
  }
  checkRule(shared, draft, entry, config)
  checkPriority(shared, draft, entry, config)
  if (config.parentRefs.length > 0) checkChild(shared, draft, entry, config)
  else chooseEntryPoints(shared, draft, entry, config)
  const key = ['middlewares']
  draft.middlewares = resolver.middlewareList(config.middlewares, entry, key, draft.errors) ?? []
  if (config.service !== '') {
    draft.service = resolver.serviceName(config.service, entry, ['service'], draft.errors)
  }
  return draft
}

function emptyDraft(shared: Compilation, entry: Entry<RouterConfig>): Draft {
  const place = shared.facts.precedence.indexOf(entry.provider)
  return {
    name: entry.qualified,
    entry,
    errors: [],
    warnings: [],
    entryPoints: [],
    rule: '',
    priority: 0,
    rank: place === -1 ? shared.facts.precedence.length : place,
    middlewares: [],
    service: '',
    priorityClass: null,
    tls: false,
    tlsOptions: '',
    hosts: [],
    parents: [],
    accessLogs: null,
    metrics: null,
  }
}

export function failRouter(
  shared: Compilation,
  draft: Draft,
  key: Path,
  message: string,
  hint = '',
): void {
  draft.errors.push(message)
  if (draft.entry !== null) {
    shared.error(draft.entry, key, 'CONFIG_ROUTER', `${draft.name}: ${message}`, hint)
  }
}

interface ParsedRule {
  readonly fault: string
  readonly hosts: readonly string[]
}

// Parsing is kept with the checked router, which lives as long as its document: most routers are the same
// from one reload to the next.
const parsedRules = new WeakMap<RouterConfig, ParsedRule>()

function parsedRule(config: RouterConfig): ParsedRule {
  const before = parsedRules.get(config)
  if (before !== undefined) return before
  let parsed: ParsedRule
  try {
    parsed = { fault: '', hosts: valuesOf(parseRule(config.rule), HOST) }
  } catch (error) {
    if (!(error instanceof RuleError)) throw error
    const fault = `rule: ${error.message} (at character ${error.offset + 1})`
    parsed = { fault, hosts: [] }
  }
  parsedRules.set(config, parsed)
  return parsed
}

// What a matcher is given anywhere in a rule; what is negated names nothing.
export function valuesOf(rule: RuleNode, matcher: number): string[] {
  const values = new Set<string>()
  const open: RuleNode[] = [rule]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.op !== RULE_LEAF) open.push(...node.nodes.toReversed())
    else if (node.matcher === matcher && !node.negated) values.add(node.value)
  }
  return [...values]
}

function checkRule(
  shared: Compilation,
  draft: Draft,
  entry: Entry<RouterConfig>,
  config: RouterConfig,
): void {
  if (config.ruleSyntax === 'v2') {
    failRouter(
      shared,
      draft,
      ['ruleSyntax'],
      'rule syntax v2 is not supported; write the rule in v3',
    )
    return
  }
  const empty = config.rule.trim() === ''
  const { fault, hosts } = empty ? { fault: 'it has no rule', hosts: [] } : parsedRule(config)
  draft.hosts = hosts
  if (fault !== '') failRouter(shared, draft, config.rule === '' ? [] : ['rule'], fault)
}

function checkPriority(
  shared: Compilation,
  draft: Draft,
  _entry: Entry<RouterConfig>,
  config: RouterConfig,
): void {
  draft.priority = config.priority === 0 ? rulePriority(config.rule) : config.priority
  const fault = faultOfPriority(config.priority)
  if (fault !== '') failRouter(shared, draft, ['priority'], fault)
}

// '' when it is one.
export function faultOfPriority(priority: number): string {
  if (!Number.isInteger(priority) || priority < -(2 ** 63)) {
    return 'priority: expected a whole number of 64 bits'
  }
  return priority > userPriorityMax ? 'priority: must be at most 9223372036854774807' : ''
}

// Children are reached through their parents only; TLS and logging are the root's.
function checkChild(
  shared: Compilation,
  draft: Draft,
  entry: Entry<RouterConfig>,
  config: RouterConfig,
): void {
  const { accessLogs, metrics } = config.observability
  const refuse = (key: string): void =>
    failRouter(shared, draft, [key], `${key}: only a router without parentRefs can have it`)
  if (config.entryPoints.length > 0) refuse('entryPoints')
  if (config.tls !== null) refuse('tls')
  if (accessLogs !== null || metrics !== null) refuse('observability')
  if (config.priorityClass !== null) refuse('priorityClass')
  const { routers } = shared.merged
  const parents: string[] = []
  config.parentRefs.forEach((name, at) => {
    const wanted = qualify(name, entry.provider)
    if (routers.has(wanted)) {
      if (!parents.includes(wanted)) parents.push(wanted)
      return
    }
    const hint = shared.suggest(wanted, routers.keys())
    failRouter(
      shared,
      draft,
      ['parentRefs', at],
      `the parent router ${wanted} does not exist`,
      hint,
    )
  })
  draft.parents = parents
}

function chooseEntryPoints(
  shared: Compilation,
  draft: Draft,
  entry: Entry<RouterConfig>,
  config: RouterConfig,
): void {
  const { errors, warnings } = draft
  draft.entryPoints = entryPointsOf(shared, entry, config, shared.entryPoints, errors, warnings)
}

// An unknown entry point is a warning while a known one is left, as in Traefik.
export function entryPointsOf(
  shared: Compilation,
  entry: Entry<unknown>,
  { entryPoints: given }: { readonly entryPoints: readonly string[] },
  known: { readonly names: readonly string[]; readonly defaults: readonly string[] },
  errors: string[],
  warnings: string[],
): readonly string[] {
  if (given.length === 0) {
    if (known.defaults.length > 0) return known.defaults
    shared.fail(entry, [], 'CONFIG_ROUTER', 'no entry point takes it', errors)
    return []
  }
  const wanted = [...new Set(given)]
  const found = wanted.filter((name) => known.names.includes(name))
  for (const name of wanted) {
    if (found.includes(name)) continue
    const key = ['entryPoints', given.indexOf(name)]
    const message = `the entry point ${name} does not exist`
    const hint = shared.suggest(name, known.names)
    if (found.length === 0) shared.fail(entry, key, 'CONFIG_ROUTER', message, errors, hint)
    else {
      warnings.push(message)
      shared.warning(entry, key, 'CONFIG_ROUTER', `${entry.qualified}: ${message}`, hint)
    }
  }
  return found
}
