// cli/explain-route.ts: the way of one exchange through routers, middlewares and services.
//
// Middlewares are built as workers build them and their request phases run, because what comes behind one sees
// what it has changed. Response phases only say what they would do: there is no server to answer.

import { randomBytes } from 'node:crypto'
import type { Generation, MiddlewarePlan, RouterPlan, ServicePlan } from '../config/generation.ts'
import type { TlsOptionsPlan } from '../config/protocol-plans.ts'
import { MISDIRECTED, NO_ROUTER, NO_SERVER } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import { buildMiddleware } from '../core/middleware/build.ts'
import { noCodecs } from '../core/middleware/codecs.ts'
import { ANSWERED, type MiddlewareContext } from '../core/middleware/contract.ts'
import type { CryptoServices } from '../core/middleware/crypto.ts'
import { inertWorker } from '../core/middleware/inert-worker.ts'
import { explainMatch, type Explanation } from '../core/route/explain.ts'
import { MatcherBuilder } from '../core/route/matcher-builder.ts'
import { parseRule } from '../core/route/parse.ts'
import { WorkerCrypto } from '../workers/crypto.ts'
import { optionsOf, type ShownTls } from './explain-connection.ts'
import { childrenOf, rootsOf } from './routes.ts'

export interface Step {
  readonly name: string
  readonly kind: string
  readonly owner: string // the router or service that it belongs to
  readonly sentence: string
}

export interface Answer {
  readonly by: string
  readonly status: number
  readonly code: number // of core/errors.ts
  readonly headers: readonly string[]
}

export interface Journey {
  readonly levels: Explanation[][] // the routers that were tried, once more for each parent
  readonly steps: Step[]
  readonly routers: string[] // that took it, outermost first
  readonly services: ServicePlan[] // the one that answers, and those below it
  answer: Answer | null // given by Sluice itself; null when a server is asked
}

export function travel(generation: Generation, exchange: Exchange, tls: ShownTls | null): Journey {
  const journey: Journey = { levels: [], steps: [], routers: [], services: [], answer: null }
  const isTls = tls !== null
  let candidates = rootsOf(generation, exchange.entryPoint).filter((plan) => plan.tls === isTls)
  for (;;) {
    const router = choose(journey, candidates, exchange)
    if (router === null) {
      journey.answer = { by: 'sluice', status: 404, code: NO_ROUTER, headers: [] }
      return journey
    }
    if (tls !== null && isMisdirected(generation, exchange, tls, router)) {
      journey.answer = { by: 'sluice', status: 421, code: MISDIRECTED, headers: [] }
      return journey
    }
    if (!pass(generation, journey, exchange, router.middlewares, router.name)) return journey
    if (router.service !== '') {
      serve(generation, journey, exchange, router.service)
      return journey
    }
    candidates = childrenOf(generation, router) // config bounds how deep routers nest
  }
}

// The Host header names a host, or the router has options, that the handshake was not made for.
function isMisdirected(
  generation: Generation,
  { entryPoint, host }: Exchange,
  tls: ShownTls,
  router: RouterPlan,
): boolean {
  const { tlsOptions } = generation
  const made = policyOf(tlsOptions.get(tls.options)!)
  const wanted = router.tlsOptions === '' ? null : tlsOptions.get(router.tlsOptions)!
  if (wanted !== null && policyOf(wanted) !== made) return true
  return policyOf(optionsOf(generation, entryPoint, host).options) !== made
}

// Options of two names may ask for the same.
function policyOf({ name: _name, ...asked }: TlsOptionsPlan): string {
  return JSON.stringify(Object.entries(asked).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function choose(
  journey: Journey,
  candidates: readonly RouterPlan[],
  exchange: Exchange,
): RouterPlan | null {
  const builder = new MatcherBuilder<RouterPlan>(null)
  for (const plan of candidates) {
    const { name, priority, rank } = plan
    builder.set({ rule: parseRule(plan.rule), priority, rank, name, value: plan })
  }
  const matcher = builder.finish()
  journey.levels.push(explainMatch(matcher, exchange))
  const router = matcher.match(exchange)
  if (router !== null) journey.routers.push(router.name)
  return router
}

// False when one of them answers or holds the request.
function pass(
  generation: Generation,
  journey: Journey,
  exchange: Exchange,
  names: readonly string[],
  owner: string,
): boolean {
  for (const name of names) {
    const plan = generation.middlewares.get(name)
    if (plan === undefined) throw new Error(`middleware ${name} is missing from the generation`)
    if (!passOne(journey, exchange, plan, owner)) return false
  }
  return true
}

// Real, but that it starts no job thread: a password of bcrypt or MD5 is taken as right, as everything that is waited for.
const explaining: CryptoServices = Object.assign(new WorkerCrypto(randomBytes(32)), {
  checkPassword: () => () => {},
})

function passOne(
  journey: Journey,
  exchange: Exchange,
  plan: MiddlewarePlan,
  owner: string,
): boolean {
  const context: MiddlewareContext = {
    router: owner,
    scope: `router ${owner}`, // or a service: nothing is kept
    worker: inertWorker(),
    codecs: noCodecs,
    crypto: explaining,
    now: () => 0,
  }
  const middleware = buildMiddleware(plan, context)
  const sentence = middleware.explain(exchange)
  const verdict = middleware.onRequest(exchange)
  journey.steps.push({ name: plan.name, kind: plan.kind, owner, sentence })
  if (verdict !== ANSWERED) return true // what it waits for is taken as granted: the sentence says what it is
  const { status, error, response } = exchange
  const headers: string[] = []
  for (let i = 0; i < response.extraCount; i++) {
    headers.push(`${response.extraNames[i]}: ${response.extraValues[i]}`)
  }
  journey.answer = { by: plan.name, status, code: error, headers }
  return false
}

function serve(generation: Generation, journey: Journey, exchange: Exchange, name: string): void {
  const service = generation.services.get(name)
  if (service === undefined) throw new Error(`service ${name} is missing from the generation`)
  journey.services.push(service)
  const own = service.kind === 'internal' ? [] : service.middlewares
  if (!pass(generation, journey, exchange, own, name)) return
  const none = service.kind === 'loadBalancer' && service.servers.length === 0
  if (none) journey.answer = { by: name, status: 503, code: NO_SERVER, headers: [] }
  if (leadsTo(service).length > 0) collect(generation, journey, service)
}

function leadsTo(service: ServicePlan): readonly string[] {
  if (service.kind === 'weighted') return service.services.map(({ name }) => name)
  if (service.kind === 'failover') return [service.service, service.fallback]
  if (service.kind !== 'mirroring') return []
  return [service.service, ...service.mirrors.map((mirror) => mirror.service)]
}

// Every service that a composite one may lead to. Their own middlewares depend on the choice.
function collect(generation: Generation, journey: Journey, top: ServicePlan): void {
  const open = [top]
  for (let service = open.pop(); service !== undefined; service = open.pop()) {
    for (const name of leadsTo(service)) {
      const child = generation.services.get(name)
      if (child === undefined || journey.services.includes(child)) continue
      journey.services.push(child)
      open.push(child)
    }
  }
}
