// config/compile.ts: documents and facts in, one Generation out, with everything that was wrong on the way.
//
// Pure: the same input gives the same generation. It never throws for what users wrote; what is wrong
// disables the object and whatever needs it, and is told with its place. 10,000 routers whose documents did
// not change take some 100 ms, read anew some 350 ms. Hot: no.

import { Compilation } from './compile/compilation.ts'
import { additionsOf, childPlan, internalDrafts, plansOf } from './compile/entry-points.ts'
import type { Additions } from './compile/entry-points.ts'
import { Resolver } from './compile/resolver.ts'
import { draftRouter, failRouter, type Draft } from './compile/router-plan.ts'
import { resolveTree } from './compile/router-tree.ts'
import { statusOf } from './compile/status.ts'
import { compileTcp } from './compile/tcp.ts'
import { certificateTable, type CertificateWish } from './compile/tls/certificates.ts'
import { TlsHosts } from './compile/tls/hosts.ts'
import { TlsOptionsTable } from './compile/tls/options.ts'
import { wishOfRouters } from './compile/tls/wishes.ts'
import { compileUdp } from './compile/udp.ts'
import type { StaticFacts } from './facts.ts'
import type { Generation, RouterPlan, RuntimeStatus } from './generation.ts'
import { mergeDocuments, type ProviderDocuments } from './merge.ts'
import { filesNow, type NamedFiles } from './named-files.ts'
import type { Problem } from './problem.ts'
import type { CertificatePlan, ChallengePlan } from './protocol-plans.ts'
import type { SpiffeIdentity } from './spiffe.ts'

export interface Compiled {
  readonly generation: Generation
  readonly problems: readonly Problem[]
  readonly wishes: readonly CertificateWish[] // for the resolvers of certificates
  readonly status: RuntimeStatus // worked out when it is first asked for
}

// What a generation is made of besides documents and facts.
export interface Supply {
  readonly files: NamedFiles
  readonly issued: readonly CertificatePlan[] // by resolvers
  readonly challenges: readonly ChallengePlan[] // that resolvers are asked to answer just now
  readonly spiffe: SpiffeIdentity | null // of the Workload API; null while it has given none
}

const fromFilesNow: Supply = { files: filesNow, issued: [], challenges: [], spiffe: null }

export function compile(
  documents: ProviderDocuments,
  facts: StaticFacts,
  number: number,
  { files, issued, challenges, spiffe }: Supply = fromFilesNow,
): Compiled {
  const shared = new Compilation(facts, mergeDocuments(documents), files, spiffe)
  const tlsOptions = new TlsOptionsTable(shared)
  const certificates = certificateTable(shared, issued)
  const resolver = new Resolver(shared)
  resolver.resolveAll()
  const drafts = new Map<string, Draft>()
  for (const draft of internalDrafts(shared, resolver)) drafts.set(draft.name, draft)
  for (const entry of shared.merged.routers.values()) {
    drafts.set(entry.qualified, draftRouter(shared, resolver, tlsOptions, entry))
  }
  const additions = additionsOf(shared, resolver, tlsOptions)
  refuseBrokenEntryPoints(shared, drafts, additions)
  const hosts = new TlsHosts(shared, drafts, additions, tlsOptions)
  resolveTree(shared, drafts)
  wishOfRouters(shared, drafts.values(), certificates)
  const tcp = compileTcp(shared, tlsOptions, certificates)
  const udp = compileUdp(shared)
  const generation: Generation = {
    number,
    tlsCertificates: certificates.plans,
    tlsOptions: tlsOptions.plans(),
    tlsHosts: hosts.plans(),
    tlsDefaults: certificates.defaults,
    challenges: new Map(challenges.map((plan) => [plan.name, plan])),
    tcpTransports: tcp.transports.plans,
    tcpMiddlewares: tcp.middlewares.plans,
    tcpServices: tcp.services.plans,
    tcpRouters: tcp.routers.plans,
    udpServices: udp.services.plans,
    udpRouters: udp.routers.plans,
    routers: planRouters(drafts, additions),
    services: resolver.services,
    middlewares: resolver.middlewares,
    transports: resolver.transports,
  }
  let status: RuntimeStatus | null = null
  return {
    generation,
    problems: shared.problems,
    wishes: certificates.wishes,
    get status() {
      const parts = { resolver, drafts: drafts.values(), tcp, udp, certificates }
      return (status ??= statusOf(shared, parts))
    },
  }
}

// The reason was told once, for the entry point.
function refuseBrokenEntryPoints(
  shared: Compilation,
  drafts: ReadonlyMap<string, Draft>,
  additions: Additions,
): void {
  for (const draft of drafts.values()) {
    const broken = draft.entryPoints.filter((name) => additions.get(name) === null)
    if (broken.length === 0) continue
    const message = `what the entry point ${broken.join(', ')} adds is missing or disabled`
    draft.entryPoints = draft.entryPoints.filter((name) => !broken.includes(name))
    if (draft.entryPoints.length === 0) failRouter(shared, draft, [], message)
    else draft.warnings.push(message)
  }
}

function planRouters(
  drafts: ReadonlyMap<string, Draft>,
  additions: Additions,
): Map<string, RouterPlan> {
  const plans = new Map<string, RouterPlan>()
  const named = new Map<string, readonly RouterPlan[]>() // of each root: its plans
  for (const draft of drafts.values()) {
    if (draft.errors.length > 0 || draft.parents.length > 0) continue
    const own = plansOf(draft, additions, drafts)
    named.set(draft.name, own)
    for (const plan of own) plans.set(plan.name, plan)
  }
  for (const draft of drafts.values()) {
    if (draft.errors.length > 0 || draft.parents.length === 0) continue
    const roots = rootsOf(drafts, draft).flatMap((name) => named.get(name) ?? [])
    const parents = draft.parents.flatMap(
      (name) => named.get(name)?.map((plan) => plan.name) ?? [name],
    )
    plans.set(draft.name, childPlan(draft, parents, roots))
  }
  return plans
}

function rootsOf(drafts: ReadonlyMap<string, Draft>, start: Draft): string[] {
  const roots: string[] = []
  const seen = new Set<string>()
  const open = [...start.parents]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const parents = drafts.get(name)!.parents
    if (parents.length === 0) roots.push(name)
    open.push(...parents)
  }
  return roots
}
