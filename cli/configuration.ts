// cli/configuration.ts: keeps what the providers say, compiles it when it changes, and remembers how that went.
//
// Owner:  the gateway (cli/gateway.ts). Not hot. Bad configuration never replaces a good one: a file that can't
// be read keeps its last good content (config/providers/file.ts), and an object that is wrong disables only
// itself and what needs it (config/compile.ts).

import { compile } from '../config/compile.ts'
import type { CertificateWish } from '../config/compile/tls/certificates.ts'
import { factsOf, type StaticFacts } from '../config/facts.ts'
import {
  emptyGeneration,
  noStatus,
  type Generation,
  type RuntimeStatus,
} from '../config/generation.ts'
import { type Located, type Problem, formatProblem } from '../config/located.ts'
import type { CertificatePlan, ChallengePlan } from '../config/protocol-plans.ts'
import { FileProvider } from '../config/providers/file.ts'
import { WatchedFiles } from '../config/providers/watched-files.ts'
import type { SpiffeIdentity, SpiffeStatus } from '../config/spiffe.ts'
import type { StaticConfig } from '../config/static.ts'
import type { OperationsLog } from '../workers/supervisor.ts'

type Certificates = Generation['tlsCertificates']

// Gives certificates the answers of OCSP that there are.
export interface Stapler {
  want(certificates: readonly CertificatePlan[]): void
  staple(plan: CertificatePlan): CertificatePlan
}

export class Configuration {
  generation: Generation = emptyGeneration()
  status: RuntimeStatus = noStatus
  problems: readonly Problem[] = [] // of the last load; in /api/overview and sluice_config_errors
  wishes: readonly CertificateWish[] = [] // for the resolvers of certificates
  reloads = 0
  stapler: Stapler | null = null // set before the start
  svid: { readonly status: SpiffeStatus } | null = null // of the Workload API; set before the start
  private certificates: Certificates = new Map() // without answers of OCSP
  lastSuccessAt = 0 // seconds since the epoch; 0 before the first
  lastFailedAt = 0
  complete = false // every provider has spoken once, without a file that could not be read
  private readonly documents = new Map<string, readonly Located[]>()
  private readonly providerProblems = new Map<string, readonly Problem[]>()
  private readonly facts: StaticFacts
  private readonly log: OperationsLog
  private readonly onGeneration: (generation: Generation) => void
  private readonly file: FileProvider | null
  private readonly files = new WatchedFiles(() => this.build())
  private issued: readonly CertificatePlan[] = []
  private challenges: readonly ChallengePlan[] = []
  private spiffe: SpiffeIdentity | null = null
  private started = false // something was compiled
  private told = new Set<string>() // problems that were written to the log already

  constructor(
    config: StaticConfig,
    log: OperationsLog,
    onGeneration: (generation: Generation) => void,
  ) {
    this.facts = factsOf(config)
    this.log = log
    this.onGeneration = onGeneration
    const { file, providersThrottleDuration } = config.providers
    this.file =
      file &&
      this.fileProvider({
        ...file,
        throttleMs: providersThrottleDuration,
        environment: process.env,
      })
  }

  private fileProvider(options: ConstructorParameters<typeof FileProvider>[0]): FileProvider {
    return new FileProvider(options, (docs, problems) => this.update('file', docs, problems))
  }

  get errors(): number {
    return this.problems.filter((problem) => problem.severity === 'error').length
  }

  // Whether the generation that is published has it.
  knows(kind: 'router' | 'service', name: string): boolean {
    const { routers, services } = this.generation
    return kind === 'router' ? routers.has(name) : services.has(name)
  }

  get providers(): string[] {
    return this.file === null ? [] : ['File']
  }

  async start(): Promise<void> {
    if (this.file === null) this.build()
    else await this.file.start()
  }

  close(): void {
    this.file?.close()
    this.files.close()
  }

  // What the resolvers have by now, all of it.
  setIssued(issued: readonly CertificatePlan[]): void {
    this.issued = issued
    if (this.started) this.build()
  }

  // Who we are to servers, by the Workload API.
  setSpiffe(identity: SpiffeIdentity | null): void {
    this.spiffe = identity
    if (this.started) this.build()
  }

  // What the operator gave, as against what resolvers have got.
  get configured(): readonly CertificatePlan[] {
    const issued = new Set(this.issued.map((plan) => plan.id))
    return [...this.generation.tlsCertificates.values()].filter((plan) => !issued.has(plan.id))
  }

  // What resolvers are asked to answer from now on. Nothing else changes, so nothing is compiled.
  setChallenges(challenges: readonly ChallengePlan[]): void {
    this.challenges = challenges
    const plans = new Map(challenges.map((plan) => [plan.name, plan]))
    if (this.started) this.vary({ challenges: plans })
  }

  // An answer of OCSP has come, or has ended.
  restaple(): void {
    if (this.started) this.vary({ tlsCertificates: this.stapled(this.certificates) })
  }

  private vary(part: Partial<Generation>): void {
    this.generation = { ...this.generation, ...part, number: this.generation.number + 1 }
    this.onGeneration(this.generation)
  }

  private stapled(plans: Certificates): Certificates {
    const { stapler } = this
    if (stapler === null) return plans
    return new Map([...plans].map(([id, plan]) => [id, stapler.staple(plan)]))
  }

  private update(provider: string, docs: readonly Located[], problems: readonly Problem[]): void {
    this.documents.set(provider, docs)
    this.providerProblems.set(provider, problems)
    this.build()
  }

  private build(): void {
    const from = performance.now()
    this.started = true
    const { documents, facts, files, issued, challenges, spiffe } = this
    const supply = { files, issued, challenges, spiffe }
    const compiled = compile(documents, facts, this.generation.number + 1, supply)
    files.settle()
    const fromProviders = [...this.providerProblems.values()].flat()
    this.problems = [...fromProviders, ...compiled.problems]
    this.certificates = compiled.generation.tlsCertificates
    this.stapler?.want([...this.certificates.values()])
    const tlsCertificates = this.stapled(this.certificates)
    this.generation = { ...compiled.generation, tlsCertificates }
    this.wishes = compiled.wishes
    this.status = compiled.status
    const unread = fromProviders.some((problem) => problem.severity === 'error')
    if (!unread) this.complete = true
    this.count(unread)
    this.report()
    const { routers } = this.generation
    const ms = (performance.now() - from).toFixed(0)
    this.log.info(`configuration compiled: ${routers.size} routers in ${ms} ms`)
    this.onGeneration(this.generation)
  }

  private count(failed: boolean): void {
    this.reloads++
    if (failed) this.lastFailedAt = Date.now() / 1000
    else this.lastSuccessAt = Date.now() / 1000
  }

  // Each problem is told once, and again only after it was gone.
  private report(): void {
    const now = new Set<string>()
    for (const problem of this.problems) {
      const line = formatProblem(problem)
      now.add(line)
      if (this.told.has(line)) continue
      if (problem.severity === 'error') this.log.error(line)
      else this.log.warn(line)
    }
    this.told = now
  }
}
