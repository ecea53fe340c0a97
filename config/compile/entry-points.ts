// config/compile/entry-points.ts: what entry points add to routers, and the routers that Sluice makes itself.
//
// An entry point may have middlewares and TLS of its own, which every router on it gets. A router on several
// such entry points is planned once for each, named as Traefik names it: 'web2-shop@file'. Hot: no.

import type { PriorityClass } from '../../core/overload/stages.ts'
import { rulePriority } from '../../core/route/parse.ts'
import { uwsTlsRefusal } from '../engine-limits.ts'
import { challengeRule, type EntryPointFacts, type Redirection } from '../facts.ts'
import type { RouterPlan } from '../generation.ts'
import type { Compilation } from './compilation.ts'
import type { Resolver } from './resolver.ts'
import type { Draft } from './router-plan.ts'
import type { Drafts } from './router-tree.ts'
import type { TlsOptionsTable } from './tls/options.ts'

// Above every redirection of an entry point (2 ** 63 unless set): the API stays reachable beside one.
const internalPriority = 2 ** 63 + 2048
const internalRank = -1

// What an entry point adds; null disables all routers on it, since a part of them is missing.
export type Additions = ReadonlyMap<string, EntryPointAddition | null>

export interface EntryPointAddition {
  readonly middlewares: readonly string[]
  readonly tls: boolean
  readonly tlsOptions: string // for routers that name none; '' when it names none either
  readonly accessLogs: boolean
  readonly metrics: boolean
}

export function additionsOf(
  shared: Compilation,
  resolver: Resolver,
  tlsOptions: TlsOptionsTable,
): Additions {
  const additions = new Map<string, EntryPointAddition | null>()
  for (const at of shared.facts.entryPoints) {
    const middlewares = entryPointMiddlewares(shared, resolver, at)
    const options = entryPointOptions(shared, tlsOptions, at)
    const { tls, accessLogs, metrics } = at
    const whole = middlewares !== null && options !== null
    additions.set(
      at.name,
      whole ? { middlewares, tls, tlsOptions: options, accessLogs, metrics } : null,
    )
  }
  return additions
}

// '' when it names none; null when what it names can't be had.
function entryPointOptions(
  shared: Compilation,
  tlsOptions: TlsOptionsTable,
  at: EntryPointFacts,
): string | null {
  if (!at.tls) return ''
  const isNamed = at.tlsOptions !== ''
  const found = isNamed ? tlsOptions.referInstalled(at.tlsOptions) : { name: '', fault: '' }
  const fault = found.fault === '' ? faultOfEngine(tlsOptions, at, found.name) : found.fault
  if (fault === '') return found.name
  const path = `entryPoints.${at.name}.http.tls.options`
  const known = [...shared.merged.tlsOptions.keys()]
  const bare = known.map((full) => full.split('@', 1)[0]!)
  const hint = shared.suggest(at.tlsOptions, [...bare, ...known])
  shared.installError(path, `${path}: ${fault}; no router on ${at.name} is served`, hint)
  return null
}

// Clients that name a host of nobody get these options, and so do routers that Sluice makes itself: where the engine
// would do less, nothing is served.
function faultOfEngine(tlsOptions: TlsOptionsTable, at: EntryPointFacts, name: string): string {
  const options = at.engine === 'uws' ? tlsOptions.planOf(name || 'default') : null
  const refusal = options === null ? '' : uwsTlsRefusal(options)
  return refusal === '' ? '' : `not possible with engine uws: ${refusal}`
}

function entryPointMiddlewares(
  shared: Compilation,
  resolver: Resolver,
  at: EntryPointFacts,
): readonly string[] | null {
  const flat: string[] = []
  let whole = true
  at.middlewares.forEach((name, index) => {
    const found = resolver.resolve('middleware', name)
    if (found !== null && found.errors.length === 0) {
      flat.push(...found.flat)
      return
    }
    whole = false
    const path = `entryPoints.${at.name}.http.middlewares[${index}]`
    const hint = found === null ? shared.suggest(name, shared.merged.middlewares.keys()) : ''
    const state = found === null ? 'does not exist' : `is disabled: ${found.errors[0]}`
    const effect = `no router on ${at.name} is served`
    shared.installError(path, `${path}: the middleware ${name} ${state}; ${effect}`, hint)
  })
  return whole ? flat : null
}

function internalDraft(name: string, entryPoint: string, rule: string, service: string): Draft {
  return {
    name,
    entry: null,
    errors: [],
    warnings: [],
    entryPoints: [entryPoint],
    rule,
    priority: internalPriority,
    rank: internalRank,
    middlewares: [],
    service,
    priorityClass: null,
    tls: false,
    tlsOptions: '',
    hosts: [],
    parents: [],
    accessLogs: null,
    metrics: null,
  }
}

export function internalDrafts(shared: Compilation, resolver: Resolver): Draft[] {
  const { entryPoints, internalRouters } = shared.facts
  const drafts: Draft[] = []
  for (const { name, entryPoint, rule, service, yields } of internalRouters) {
    if (entryPoints.some((at) => at.name === entryPoint)) {
      const draft = internalDraft(name, entryPoint, rule, service)
      drafts.push(yields ? { ...draft, ...afterUsers(shared, rule) } : draft)
    } else {
      const known = entryPoints.map((at) => at.name)
      const message = `the entry point ${entryPoint} of ${name} does not exist`
      shared.installError('', message, shared.suggest(entryPoint, known))
    }
  }
  for (const at of entryPoints) {
    if (at.redirection !== null) addRedirection(shared, resolver, at, at.redirection, drafts)
  }
  return drafts
}

// As a router of users that names no priority, and behind theirs where the rules are of one length.
function afterUsers(shared: Compilation, rule: string): Pick<Draft, 'priority' | 'rank'> {
  return { priority: rulePriority(rule), rank: shared.facts.precedence.length + 1 }
}

function addRedirection(
  shared: Compilation,
  resolver: Resolver,
  at: EntryPointFacts,
  redirection: Redirection,
  drafts: Draft[],
): void {
  const target = redirection.to
  const port = redirectionPort(shared, target)
  if (port === '') {
    const path = `entryPoints.${at.name}.http.redirections.entryPoint.to`
    const known = shared.facts.entryPoints.map((other) => other.name)
    const message = `${path}: expected an entry point or a port such as :443`
    shared.installError(path, message, shared.suggest(target, known))
    return
  }
  const name = `${at.name}-to-${target.replace(/^:/, '')}@internal`
  const { scheme, permanent, priority } = redirection
  const options = { scheme, port, permanent }
  resolver.addMiddleware({ name: `redirect-${name}`, kind: 'redirectScheme', options })
  const rule = at.acmeByPass ? `PathPrefix(\`/\`) && !${challengeRule}` : 'PathPrefix(`/`)'
  const draft = internalDraft(name, at.name, rule, 'noop@internal')
  drafts.push({ ...draft, middlewares: [`redirect-${name}`], priority })
}

function redirectionPort(shared: Compilation, to: string): string {
  const port = /^:(\d{1,5})$/.exec(to)?.[1]
  if (port !== undefined) return Number(port) >= 1 && Number(port) <= 65_535 ? port : ''
  const target = shared.facts.entryPoints.find((at) => at.name === to)
  return target === undefined ? '' : String(target.port)
}

const plainKey = JSON.stringify({
  middlewares: [],
  tls: false,
  tlsOptions: '',
  accessLogs: true,
  metrics: true,
})

// One plan for the entry points without settings of their own, and one for each other.
export function plansOf(draft: Draft, additions: Additions, taken: Drafts): RouterPlan[] {
  const single = draft.entryPoints.length === 1
  const plain: string[] = []
  const plans: RouterPlan[] = []
  for (const name of draft.entryPoints) {
    const addition = additions.get(name)
    if (addition === null || addition === undefined) continue
    if (JSON.stringify(addition) === plainKey) plain.push(name)
    else
      plans.push(planOf(draft, single ? draft.name : ownName(draft, name, taken), [name], addition))
  }
  if (plain.length > 0) plans.unshift(planOf(draft, draft.name, plain, additions.get(plain[0]!)!))
  return plans
}

function ownName(draft: Draft, entryPoint: string, taken: Drafts): string {
  let name = `${entryPoint}-${draft.name}`
  while (taken.has(name)) name = `${entryPoint}-${name}`
  return name
}

function planOf(
  draft: Draft,
  name: string,
  entryPoints: readonly string[],
  addition: EntryPointAddition,
): RouterPlan {
  return {
    name,
    entryPoints,
    rule: draft.rule,
    priority: draft.priority,
    rank: draft.rank,
    middlewares: [...addition.middlewares, ...draft.middlewares],
    service: draft.service,
    tls: draft.tls || addition.tls,
    tlsOptions: wantedOptions(draft, addition),
    parents: [],
    accessLogs: draft.accessLogs ?? addition.accessLogs,
    metrics: draft.metrics ?? addition.metrics,
    priorityClass: draft.priorityClass ?? classOf(draft),
    internal: draft.entry === null,
  }
}

// Ping, the API and the like must answer whatever else is shed.
function classOf(draft: Draft): PriorityClass {
  const isOurs = draft.entry === null || draft.service.endsWith('@internal')
  return isOurs ? 'critical' : 'normal'
}

// A router that names no host and no options takes any connection.
function wantedOptions(draft: Draft, addition: EntryPointAddition): string {
  if (!(draft.tls || addition.tls) || draft.parents.length > 0) return ''
  const named = draft.tlsOptions || addition.tlsOptions
  return named === '' && draft.hosts.length > 0 ? 'default' : named
}

// Of a child: what entry points add is the root's already.
export function childPlan(
  draft: Draft,
  parents: readonly string[],
  roots: readonly RouterPlan[],
): RouterPlan {
  const { accessLogs, metrics, tls } = roots[0]!
  const addition = { middlewares: [], tls, tlsOptions: '', accessLogs, metrics }
  return { ...planOf(draft, draft.name, draft.entryPoints, addition), parents }
}
