// certificates/manager/manager.ts: all of certificatesResolvers: takes wishes, gives certificates.
//
// Owner:  the gateway makes one when the install configuration names a resolver; it lives as long as the process.
//         Hot: no; everything runs in the supervisor.
//
//   configuration --want(wishes)--> manager --certificates(plans)--> configuration (compiled into the next generation)
//                                      '-----challenges(plans)-----> workers (answered at once)

import type { CertificatePlan, ChallengePlan } from '../../config/protocol-plans.ts'
import type { StaticConfig } from '../../config/static.ts'
import { timerMs } from '../../core/timer-ms.ts'
import { isKeyType, keyTypes } from '../acme/keys.ts'
import { ChallengeBoard } from '../challenges/board.ts'
import { SharedBoard } from '../challenges/shared-board.ts'
import type { Solver } from '../challenges/contract.ts'
import { HttpSolver } from '../challenges/http-01.ts'
import { TlsAlpnSolver } from '../challenges/tls-alpn-01.ts'
import { type Transport, requestHttp } from '../http.ts'
import type { CertificateStore, SharedChallenges } from '../storage/contract.ts'
import { openStore } from '../storage/open.ts'
import type { AcmeConfig } from './account.ts'
import { type CertificateStatus, Job } from './job.ts'
import { type CertificateWish, type Wanted, refusalOf, wantedOf } from './names.ts'
import { type ManagerLog, Resolver } from './resolver.ts'

export interface ManagerOptions {
  readonly resolvers: StaticConfig['certificatesResolvers']
  readonly environment: Readonly<Record<string, string | undefined>> // of DNS services
  readonly log: ManagerLog
  // Every certificate of every resolver, whenever that set has changed.
  readonly onCertificates: (plans: readonly CertificatePlan[]) => void
  // Resolved once every worker answers with exactly these.
  readonly publishChallenges: (plans: readonly ChallengePlan[]) => Promise<void>
  readonly transport?: Transport
  readonly now?: () => number
  readonly chance?: () => number
}

const TELL_EVERY_MS = 500

export class CertificateManager {
  private readonly options: ManagerOptions
  private readonly resolvers = new Map<string, Resolver>()
  private readonly stores = new Map<string, CertificateStore>()
  private readonly board: ChallengeBoard
  private readonly faults = new Map<string, string>() // resolvers that can't work, and why
  private faulty: readonly Wanted[] = [] // what is wanted of them
  private readonly shared: SharedBoard[] = []
  private told = ''
  private toldAt = 0
  private telling: NodeJS.Timeout | null = null
  private readonly startedAt = Date.now()

  constructor(options: ManagerOptions) {
    this.options = options
    this.board = new ChallengeBoard(options.publishChallenges)
  }

  // Reads what is stored, so that the first generation has it. Never rejects: a resolver that can't work is told of.
  async start(): Promise<void> {
    for (const [name, { acme }] of Object.entries(this.options.resolvers)) {
      try {
        if (acme === null) throw new Error('it has no acme section')
        this.resolvers.set(name, await this.resolverOf(name, acme))
      } catch (fault) {
        const message = fault instanceof Error ? fault.message : String(fault)
        this.options.log.error(`resolver ${name} issues no certificates: ${message}`)
        this.faults.set(name, message)
      }
    }
    await Promise.all([...this.resolvers.values()].map((resolver) => resolver.load()))
    this.changed()
  }

  private async resolverOf(name: string, config: AcmeConfig): Promise<Resolver> {
    const { log, transport = requestHttp, now = Date.now, chance = Math.random } = this.options
    if (!isKeyType(config.keyType))
      log.warn(`resolver ${name}: keyType is none of ${keyTypes}; RSA4096 is used`)
    const store = await this.storeOf(config.storage)
    const solver = await this.solverOf(name, config, store)
    const onChange = () => this.changed()
    return new Resolver({ name, config, store, solver, log, transport, now, chance, onChange })
  }

  private async storeOf(place: string): Promise<CertificateStore> {
    const known = this.stores.get(place)
    if (known !== undefined) return known
    const store = await openStore(place, this.options.environment)
    this.stores.set(place, store)
    return store
  }

  // One kind per resolver; of several dnsChallenge counts first, as it can do most.
  private async solverOf(
    name: string,
    config: AcmeConfig,
    store: CertificateStore,
  ): Promise<Solver> {
    const { dnsChallenge, httpChallenge, tlsChallenge } = config
    if (dnsChallenge !== null) {
      const { dnsSolver } = await import('../challenges/dns-01.ts')
      const { environment, log, transport = requestHttp } = this.options
      return dnsSolver(dnsChallenge, environment, transport, (message) => log.warn(message))
    }
    const board = store.challenges === null ? this.board : this.sharedBoard(name, store.challenges)
    if (httpChallenge !== null)
      return new HttpSolver(board, httpChallenge.entryPoint, httpChallenge.delay)
    if (tlsChallenge !== null) return new TlsAlpnSolver(board, tlsChallenge.delay)
    throw new Error('it names none of httpChallenge, tlsChallenge and dnsChallenge')
  }

  private sharedBoard(name: string, shared: SharedChallenges): SharedBoard {
    const board = new SharedBoard(name, this.board, shared, (message) =>
      this.options.log.warn(message),
    )
    this.shared.push(board)
    return board
  }

  // After each compilation. `configured` are the certificates that the operator gave.
  want(wishes: readonly CertificateWish[], configured: readonly CertificatePlan[]): void {
    const now = (this.options.now ?? Date.now)()
    const usable = configured.filter(({ notAfter }) => notAfter > now)
    const wanted = wantedOf(
      wishes,
      usable.map(({ names }) => names),
      ({ resolver, names }) => refusalOf(names, this.usesDns(resolver)) === '',
    )
    this.faulty = wanted.filter(({ resolver }) => this.faults.has(resolver))
    for (const [name, resolver] of this.resolvers)
      resolver.want(wanted.filter((one) => one.resolver === name))
  }

  private usesDns(resolver: string): boolean {
    return (this.options.resolvers[resolver]?.acme?.dnsChallenge ?? null) !== null
  }

  certificates(): readonly CertificatePlan[] {
    const all = [...this.resolvers.values()].flatMap((resolver) => resolver.certificates())
    return [...new Map(all.map((plan) => [plan.id, plan])).values()]
  }

  status(): readonly CertificateStatus[] {
    const faulty = this.faulty.map((wanted) => {
      const job = new Job(wanted, 0)
      job.failed(this.faults.get(wanted.resolver) ?? '', 0, this.startedAt, 0)
      return { ...job.status, nextTryAt: 0 }
    })
    return [...[...this.resolvers.values()].flatMap((resolver) => resolver.status()), ...faulty]
  }

  // For metrics: by resolver, since the start.
  counts(): readonly { resolver: string; issued: number; failed: number }[] {
    return [...this.resolvers].map(([resolver, { issued, failed }]) => ({
      resolver,
      issued,
      failed,
    }))
  }

  // Each change makes a generation; of hundreds of certificates at a first start, many travel in one.
  private changed(): void {
    if (this.telling !== null) return
    const wait = Math.max(0, this.toldAt + TELL_EVERY_MS - Date.now())
    if (wait === 0) return this.tell()
    this.telling = setTimeout(() => this.tell(), timerMs(wait)).unref()
  }

  private tell(): void {
    this.telling = null
    this.toldAt = Date.now()
    const plans = this.certificates()
    const ids = plans.map(({ id }) => id).join()
    if (ids === this.told) return
    this.told = ids
    this.options.onCertificates(plans)
  }

  async close(): Promise<void> {
    for (const board of this.shared) board.close()
    if (this.telling !== null) clearTimeout(this.telling)
    await Promise.all([...this.resolvers.values()].map((resolver) => resolver.close()))
    await Promise.all([...this.stores.values()].map((store) => store.close()))
  }
}
