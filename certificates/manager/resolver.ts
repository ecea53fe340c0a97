// certificates/manager/resolver.ts: one of certificatesResolvers: its jobs, its store, its authority, its clock.
//
// Owner:  the manager. Hot: no.
//
// One run at a time: read the store (another gateway may have been quicker), take the lease, order what is due, store
// it, give the lease back, and sleep until the next job is due. Without the lease another gateway is at work: its
// certificates are in the store a little later.

import { certificatePlan, coversHost } from '../../config/certificate-facts.ts'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import { timerMs } from '../../core/timer-ms.ts'
import type { AcmeClient } from '../acme/client.ts'
import { type OrderRequest, obtainCertificate } from '../acme/order.ts'
import { AcmeError } from '../acme/problem.ts'
import { renewalId, renewalWindow } from '../acme/renewal-info.ts'
import type { Solver } from '../challenges/contract.ts'
import type { Transport } from '../http.ts'
import { type StoredCertificate, certificatesIn, withCertificate } from '../storage/acme-json.ts'
import { type Block, type CertificateStore, LEASE_MS, type Lease } from '../storage/contract.ts'
import { type AcmeConfig, type Conversation, clientOfBlock, openClient } from './account.ts'
import { type CertificateStatus, Job } from './job.ts'
import { type Wanted, keysOf, refusalOf } from './names.ts'

export interface ManagerLog {
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

export interface ResolverOptions {
  readonly name: string
  readonly config: AcmeConfig
  readonly store: CertificateStore
  readonly solver: Solver
  readonly log: ManagerLog
  readonly transport: Transport
  readonly now: () => number
  readonly chance: () => number
  readonly onChange: () => void // certificates() has changed
}

const ORDERS_AT_ONCE = 3
const VALIDATE_TIMEOUT_MS = 120_000
const SLEEP_MAX_MS = 3600_000 // also the answer to clocks that are set
const LOOK_AGAIN_MS = 60_000 // at a store that others write
const BUSY_AGAIN_MS = 10_000 // while another has the lease
const ASK_FAILED_MS = 6 * 3600_000

export class Resolver {
  issued = 0 // since the start
  failed = 0
  private readonly options: ResolverOptions
  private readonly jobs = new Map<string, Job>()
  private stored: readonly CertificatePlan[] = []
  private parsed: ReadonlyMap<string, CertificatePlan | null> = new Map()
  private unsaved: StoredCertificate[] = [] // the store failed; tried again in the next run
  private holdUntil = 0 // a run failed as a whole: the store is away, say
  private mustRegister = false // the authority does not know the account
  private timer: NodeJS.Timeout | null = null
  private running: Promise<void> | null = null
  private readonly ending = new AbortController()

  constructor(options: ResolverOptions) {
    this.options = options
  }

  // What earlier lives and other gateways have left.
  async load(): Promise<void> {
    const { store, name, log } = this.options
    try {
      this.take(await store.read(name))
    } catch (fault) {
      log.error(`certificates of resolver ${name}: ${textOf(fault)}`)
    }
  }

  certificates(): readonly CertificatePlan[] {
    const now = this.options.now()
    return this.stored.filter(({ notAfter }) => notAfter > now)
  }

  status(): CertificateStatus[] {
    return [...this.jobs.values()].map((job) => job.status)
  }

  want(wanted: readonly Wanted[]): void {
    const keys = new Set(wanted.map(({ key }) => key))
    for (const key of this.jobs.keys()) if (!keys.has(key)) this.jobs.delete(key)
    for (const one of wanted) {
      const known = this.jobs.get(one.key)
      if (known === undefined) this.jobs.set(one.key, this.jobOf(one))
      else known.wanted = one
    }
    this.match()
    this.wake()
  }

  private jobOf(wanted: Wanted): Job {
    return new Job(wanted, this.options.config.certificatesDuration * 3600_000)
  }

  async close(): Promise<void> {
    this.ending.abort()
    if (this.timer !== null) clearTimeout(this.timer)
    await this.running
  }

  // ---- what there is

  private take(block: Block): void {
    const found = [...certificatesIn(block), ...this.unsaved]
    const parsed = new Map(found.map((one) => [one.certPem + one.keyPem, this.planOf(one)]))
    this.parsed = parsed
    const plans = [...parsed.values()].filter((plan) => plan !== null)
    const before = this.stored.map(({ id }) => id).join()
    this.stored = plans
    this.match()
    if (plans.map(({ id }) => id).join() !== before) this.options.onChange()
  }

  // Checking a pair costs a millisecond, and stores are read again for every order: what is known is kept. null for a
  // pair that can't be used, which is told once.
  private planOf(stored: StoredCertificate): CertificatePlan | null {
    const { names, certPem, keyPem } = stored
    const known = this.parsed.get(certPem + keyPem)
    if (known !== undefined) return known
    try {
      return certificatePlan(certPem, keyPem)
    } catch (fault) {
      const { log, store } = this.options
      log.warn(`${store.name}: the certificate for ${names.join(', ')}: ${textOf(fault)}`)
      return null
    }
  }

  private match(): void {
    const byName = Map.groupBy(
      this.certificates().flatMap((plan) => plan.names.map((name) => ({ name, plan }))),
      ({ name }) => name,
    )
    for (const job of this.jobs.values()) {
      const { names } = job.wanted
      const some = keysOf(names[0] ?? '').flatMap((key) => byName.get(key) ?? [])
      const fitting = some.filter(({ plan }) => names.every((name) => coversHost(plan.names, name)))
      const latest = fitting.toSorted((one, other) => other.plan.notAfter - one.plan.notAfter)[0]
      job.use(latest?.plan ?? null)
    }
  }

  // ---- the clock

  private wake(): void {
    if (this.running !== null || this.ending.signal.aborted) return // a run ends by a look at the clock
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = setTimeout(() => this.begin(), timerMs(this.sleepMs())).unref()
  }

  private sleepMs(): number {
    const now = this.options.now()
    const jobs = [...this.jobs.values()]
    const times = jobs.map((job) => Math.min(job.dueAt, this.asks(job) ? job.askAt : Infinity))
    if (this.unsaved.length > 0) times.push(now + LOOK_AGAIN_MS)
    if (this.options.store.isShared && jobs.length > 0) times.push(now + LOOK_AGAIN_MS)
    const at = Math.max(this.holdUntil, Math.min(...times)) // of nothing: Infinity
    return Math.max(0, Math.min(SLEEP_MAX_MS, at - now))
  }

  private asks(job: Job): boolean {
    return job.certificate !== null
  }

  private begin(): void {
    this.running = this.run()
      .catch((fault: unknown) => this.runFailed(fault))
      .finally(() => {
        this.running = null
        this.wake()
      })
  }

  private due(): Job[] {
    const now = this.options.now()
    return [...this.jobs.values()].filter((job) => job.dueAt <= now)
  }

  // ---- a run

  private get conversation(): Conversation {
    const { config, store, transport, now } = this.options
    return { config, store, transport, now, signal: this.ending.signal }
  }

  private async run(): Promise<void> {
    const { store, name } = this.options
    const block = await store.read(name)
    this.take(block)
    await this.askForWindows(block)
    if (this.due().length === 0 && this.unsaved.length === 0) return
    const lease = await store.acquire(name)
    if (lease === null) return this.postpone()
    const lost = new AbortController()
    const renewal = setInterval(() => void this.renewLease(lease, lost), LEASE_MS / 3)
    try {
      await this.runWith(lease, lost.signal)
    } finally {
      clearInterval(renewal)
      await store.release(lease).catch((fault: unknown) => {
        this.options.log.warn(`certificates of resolver ${name}: ${textOf(fault)}`)
      })
    }
  }

  private async renewLease(lease: Lease, lost: AbortController): Promise<void> {
    const held = await this.options.store.renew(lease).catch(() => false)
    if (!held) lost.abort(new Error('the lock of the store was lost'))
  }

  private postpone(): void {
    this.options.log.debug(`resolver ${this.options.name}: another gateway is ordering`)
    const { now, chance } = this.options
    for (const job of this.due()) job.waitUntil(now() + BUSY_AGAIN_MS * (1 + chance()))
  }

  private async runWith(lease: Lease, lost: AbortSignal): Promise<void> {
    const { store, name } = this.options
    const block = await store.read(name) // between the look before and the lease another may have written
    this.take(block)
    await this.saveAgain(lease)
    const due = this.due().filter((job) => !this.refuses(job))
    if (due.length === 0) return
    const signal = AbortSignal.any([lost, this.ending.signal])
    const about = { ...this.conversation, signal }
    const client = await openClient(about, lease, block, this.mustRegister)
    this.mustRegister = false
    const one = async (): Promise<void> => {
      for (let job = due.shift(); job !== undefined; job = due.shift()) {
        if (signal.aborted) return
        await this.order(client, lease, job)
      }
    }
    await Promise.all(Array.from({ length: ORDERS_AT_ONCE }, one))
  }

  // Names that no authority would take are not worth a request.
  private refuses(job: Job): boolean {
    const { solver } = this.options
    const reason = refusalOf(job.wanted.names, solver.kind === 'dns-01')
    if (reason !== '') this.fail(job, new AcmeError(reason))
    return reason !== ''
  }

  private async order(client: AcmeClient, lease: Lease, job: Job): Promise<void> {
    const { solver, log, name } = this.options
    const { names } = job.wanted
    log.info(`resolver ${name}: ordering a certificate for ${names.join(', ')}`)
    job.isOrdering = true
    try {
      const plan = await obtainCertificate(client, this.requestOf(job), solver)
      this.issued++
      const until = new Date(plan.notAfter).toISOString()
      log.info(`resolver ${name}: certificate for ${names.join(', ')}, valid until ${until}`)
      await this.keep(lease, { names, certPem: plan.certPem, keyPem: plan.keyPem })
      job.succeeded(plan)
      await this.readAgain()
    } catch (fault) {
      if (fault instanceof AcmeError && fault.type === 'accountDoesNotExist')
        this.mustRegister = true
      this.fail(job, fault)
    } finally {
      job.isOrdering = false
    }
  }

  private async readAgain(): Promise<void> {
    const { store, name, log } = this.options
    try {
      this.take(await store.read(name))
    } catch (fault) {
      log.error(`${store.name}: ${textOf(fault)}`)
    }
  }

  private requestOf(job: Job): OrderRequest {
    const { config, log, name } = this.options
    return {
      names: job.wanted.names,
      keyType: config.keyType,
      commonName: !config.disableCommonName,
      emails: config.emailAddresses,
      preferredChain: config.preferredChain,
      profile: config.profile,
      replaces: job.certificate === null ? '' : renewalId(job.certificate.certPem),
      finalizeTimeoutMs: config.certificateTimeout,
      validateTimeoutMs: VALIDATE_TIMEOUT_MS,
      warn: (message) => log.warn(`resolver ${name}: ${message}`),
    }
  }

  // A certificate that could not be stored is used all the same, and stored later.
  private async keep(lease: Lease, certificate: StoredCertificate): Promise<void> {
    const { store, log } = this.options
    try {
      await store.write(lease, (block) => withCertificate(block, certificate))
    } catch (fault) {
      log.error(`${store.name}: the new certificate is not stored: ${textOf(fault)}`)
      this.unsaved.push(certificate)
    }
  }

  private async saveAgain(lease: Lease): Promise<void> {
    const left = this.unsaved
    this.unsaved = []
    for (const certificate of left) await this.keep(lease, certificate)
  }

  // ---- what goes wrong

  private runFailed(fault: unknown): void {
    const { now, log, name } = this.options
    if (this.ending.signal.aborted) return
    const due = this.due()
    this.holdUntil = now() + LOOK_AGAIN_MS
    for (const job of due) this.fail(job, fault)
    if (due.length === 0) log.error(`resolver ${name}: ${textOf(fault)}`)
  }

  private fail(job: Job, fault: unknown): void {
    if (this.ending.signal.aborted) return
    const { now, chance, log, name } = this.options
    const message = textOf(fault)
    this.failed++
    job.failed(message, fault instanceof AcmeError ? fault.retryAfterMs : 0, now(), chance())
    const next = new Date(job.dueAt).toISOString()
    const names = job.wanted.names.join(', ')
    log.error(`resolver ${name}: no certificate for ${names}: ${message}; next attempt ${next}`)
  }

  // ---- when the authority wants it

  private async askForWindows(block: Block): Promise<void> {
    const now = this.options.now()
    const open = [...this.jobs.values()].filter((job) => this.asks(job) && job.askAt <= now)
    const client = open.length === 0 ? null : await clientOfBlock(this.conversation, block)
    for (const job of open) {
      job.askAt = now + ASK_FAILED_MS
      if (client !== null) await this.askForWindow(client, job)
    }
  }

  private async askForWindow(client: AcmeClient, job: Job): Promise<void> {
    const { log, name, now } = this.options
    const names = job.wanted.names.join(', ')
    try {
      const before = job.window
      job.window = await renewalWindow(client, job.certificate?.certPem ?? '')
      if (job.window === null) return
      job.askAt = now() + job.window.askAgainMs
      const why = job.window.explanationUrl
      if (before !== null && before.start !== job.window.start && why !== '')
        log.warn(`resolver ${name}: ${names}: the authority moved the renewal; see ${why}`)
    } catch (fault) {
      log.debug(`resolver ${name}: ${names}: ${textOf(fault)}`)
    }
  }
}

function textOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}
