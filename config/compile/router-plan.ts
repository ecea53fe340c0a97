// config/compile/router-plan.ts: what each router says by itself: its rule, priority, references.
//
// Parents and children are looked at afterwards (router-tree.ts), when it is known which routers stand. Hot: no.

import { parseRule, rulePriority, RuleError } from '../../core/route/parse.ts'
import type { RouterConfig } from '../dynamic/routers.ts'
import type { Entry } from '../merge.ts'
import type { Path } from '../problem.ts'
import { qualify, type Compilation } from './compilation.ts'
import type { Resolver } from './resolver.ts'

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
  tls: boolean
  parents: readonly string[]
  accessLogs: boolean | null // null: as the entry point says
  metrics: boolean | null
}

export function draftRouter(
  shared: Compilation,
  resolver: Resolver,
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
  draft.tls = config.tls !== null
  draft.accessLogs = config.observability.accessLogs
  draft.metrics = config.observability.metrics
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
    tls: false,
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

// Parsing is kept with the checked router, which lives as long as its document: most routers are the same
// from one reload to the next.
const ruleFaults = new WeakMap<RouterConfig, string>()

function ruleFault(config: RouterConfig): string {
  const before = ruleFaults.get(config)
  if (before !== undefined) return before
  let fault = ''
  try {
    parseRule(config.rule)
  } catch (error) {
    if (!(error instanceof RuleError)) throw error
    fault = `rule: ${error.message} (at character ${error.offset + 1})`
  }
  ruleFaults.set(config, fault)
  return fault
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
  const fault = config.rule.trim() === '' ? 'it has no rule' : ruleFault(config)
  if (fault !== '') failRouter(shared, draft, config.rule === '' ? [] : ['rule'], fault)
}

function checkPriority(
  shared: Compilation,
  draft: Draft,
  _entry: Entry<RouterConfig>,
  config: RouterConfig,
): void {
  draft.priority = config.priority === 0 ? rulePriority(config.rule) : config.priority
  const key = ['priority']
  if (!Number.isInteger(config.priority) || config.priority < -(2 ** 63)) {
    failRouter(shared, draft, key, 'priority: expected a whole number of 64 bits')
  } else if (config.priority > userPriorityMax) {
    failRouter(shared, draft, key, 'priority: must be at most 9223372036854774807')
  }
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

// An unknown entry point is a warning while a known one is left, as in Traefik.
function chooseEntryPoints(
  shared: Compilation,
  draft: Draft,
  entry: Entry<RouterConfig>,
  config: RouterConfig,
): void {
  const all = shared.facts.entryPoints
  if (config.entryPoints.length === 0) {
    draft.entryPoints = all.filter((at) => at.takesDefault).map((at) => at.name)
    if (draft.entryPoints.length === 0) failRouter(shared, draft, [], 'no entry point takes it')
    return
  }
  const wanted = [...new Set(config.entryPoints)]
  draft.entryPoints = wanted.filter((name) => all.some((at) => at.name === name))
  const unknown = wanted.filter((name) => !draft.entryPoints.includes(name))
  for (const name of unknown) {
    const key = ['entryPoints', config.entryPoints.indexOf(name)]
    const message = `the entry point ${name} does not exist`
    const hint = shared.suggest(
      name,
      all.map((at) => at.name),
    )
    if (draft.entryPoints.length === 0) failRouter(shared, draft, key, message, hint)
    else {
      draft.warnings.push(message)
      shared.warning(entry, key, 'CONFIG_ROUTER', `${draft.name}: ${message}`, hint)
    }
  }
}
