// certificates/ocsp/stapler.ts: keeps a fresh answer of OCSP for every certificate that names a responder.
//
// Owner:  the gateway makes one when `ocsp` is configured. Hot: no; all of it runs in the supervisor.
//
// An answer is fetched anew at half of its life, so a responder may be away for the other half. An answer that has
// ended is dropped: an old one makes clients refuse, none makes most of them go on.

import { X509Certificate } from 'node:crypto'
import { certificateFacts } from '../../config/certificate-facts.ts'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import { timerMs } from '../../core/timer-ms.ts'
import { type Transport, requestHttp } from '../http.ts'
import type { ManagerLog } from '../manager/resolver.ts'
import { type OcspAnswer, OcspError, checkAnswer, ocspRequest, responderOf } from './message.ts'

export interface StaplerOptions {
  readonly responderOverrides: Readonly<Record<string, string>> // responder that a certificate names -> one to ask
  readonly log: ManagerLog
  readonly onChange: () => void // staple() gives something else for some certificate
  readonly transport?: Transport
  readonly now?: () => number
  readonly chance?: () => number
}

export interface StapleStatus {
  readonly id: string // of the certificate
  readonly responder: string
  readonly thisUpdate: number // 0 while there is no answer
  readonly nextUpdate: number
  readonly nextTryAt: number
  readonly lastError: string
}

interface Entry {
  readonly id: string
  readonly names: readonly string[]
  readonly leaf: X509Certificate
  readonly issuer: X509Certificate
  readonly responder: string
  answer: OcspAnswer | null
  nextAt: number
  failures: number
  lastError: string
  isAsking: boolean
}

const ANSWER_BYTES_MAX = 64 * 1024
const TIMEOUT_MS = 10_000
const ASK_AT_ONCE = 4
const RETRY_FIRST_MS = 60_000
const RETRY_MAX_MS = 3600_000
const SLEEP_MAX_MS = 3600_000

export class OcspStapler {
  private readonly options: StaplerOptions
  private readonly entries = new Map<string, Entry>()
  private readonly without = new Set<string>() // certificates that name no responder
  private readonly ending = new AbortController()
  private timer: NodeJS.Timeout | null = null

  constructor(options: StaplerOptions) {
    this.options = options
  }

  private get now(): number {
    return (this.options.now ?? Date.now)()
  }

  // The certificates that are served from now on.
  want(certificates: readonly CertificatePlan[]): void {
    const ids = new Set(certificates.map(({ id }) => id))
    for (const id of this.entries.keys()) if (!ids.has(id)) this.entries.delete(id)
    for (const id of this.without) if (!ids.has(id)) this.without.delete(id)
    for (const plan of certificates) {
      if (this.entries.has(plan.id) || this.without.has(plan.id)) continue
      const entry = this.entryOf(plan)
      if (entry === null) this.without.add(plan.id)
      else this.entries.set(plan.id, entry)
    }
    this.wake()
  }

  private entryOf(plan: CertificatePlan): Entry | null {
    const { leaf, chain } = certificateFacts(plan.certPem)
    const named = responderOf(leaf)
    const [issuer] = chain
    if (named === '') return null
    if (issuer === undefined) {
      const names = plan.names.join(', ')
      this.options.log.warn(`OCSP for ${names}: the file lacks the certificate of the issuer`)
      return null
    }
    const responder = this.options.responderOverrides[named] ?? named
    const { id, names } = plan
    const fresh = { answer: null, nextAt: 0, failures: 0, lastError: '', isAsking: false }
    return { id, names, leaf, issuer, responder, ...fresh }
  }

  // The plan with the answer that there is.
  staple(plan: CertificatePlan): CertificatePlan {
    const answer = this.entries.get(plan.id)?.answer ?? null
    const isFresh = answer !== null && answer.nextUpdate > this.now
    return isFresh ? { ...plan, ocsp: answer.der } : plan
  }

  status(): StapleStatus[] {
    return [...this.entries.values()].map((entry) => ({
      id: entry.id,
      responder: entry.responder,
      thisUpdate: entry.answer?.thisUpdate ?? 0,
      nextUpdate: entry.answer?.nextUpdate ?? 0,
      nextTryAt: entry.nextAt,
      lastError: entry.lastError,
    }))
  }

  close(): void {
    this.ending.abort()
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private wake(): void {
    if (this.ending.signal.aborted) return
    if (this.timer !== null) clearTimeout(this.timer)
    const { now } = this
    const times = [...this.entries.values()].flatMap(({ nextAt, answer, isAsking }) => [
      isAsking ? Infinity : nextAt,
      answer?.nextUpdate ?? Infinity,
    ])
    const sleep = Math.max(0, Math.min(SLEEP_MAX_MS, ...times.map((at) => at - now)))
    this.timer = setTimeout(() => this.run(), timerMs(sleep)).unref()
  }

  private run(): void {
    this.dropEnded()
    const all = [...this.entries.values()]
    const free = ASK_AT_ONCE - all.filter(({ isAsking }) => isAsking).length
    const due = all.filter(({ nextAt, isAsking }) => !isAsking && nextAt <= this.now)
    for (const entry of due.slice(0, Math.max(0, free))) void this.ask(entry)
    if (due.length <= free) this.wake()
  }

  private dropEnded(): void {
    let changed = false
    for (const entry of this.entries.values()) {
      if (entry.answer === null || entry.answer.nextUpdate > this.now) continue
      entry.answer = null
      changed = true
    }
    if (changed) this.options.onChange()
  }

  private async ask(entry: Entry): Promise<void> {
    entry.isAsking = true
    try {
      this.answered(entry, await this.fetch(entry))
    } catch (fault) {
      this.failed(entry, fault instanceof Error ? fault.message : String(fault))
    } finally {
      entry.isAsking = false
      this.wake()
    }
  }

  private async fetch({ leaf, issuer, responder }: Entry): Promise<OcspAnswer> {
    const { status, body } = await (this.options.transport ?? requestHttp)({
      method: 'POST',
      url: responder,
      headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
      body: ocspRequest(leaf, issuer),
      timeoutMs: TIMEOUT_MS,
      bytesMax: ANSWER_BYTES_MAX,
      signal: this.ending.signal,
    })
    if (status !== 200) throw new OcspError(`the responder answered ${status}`)
    return checkAnswer(body, leaf, issuer, this.now)
  }

  private answered(entry: Entry, answer: OcspAnswer): void {
    entry.answer = answer
    entry.failures = 0
    entry.lastError = ''
    const half = answer.thisUpdate + (answer.nextUpdate - answer.thisUpdate) / 2
    entry.nextAt = Math.max(half, this.now + RETRY_FIRST_MS)
    if (this.entries.get(entry.id) === entry) this.options.onChange()
  }

  private failed(entry: Entry, message: string): void {
    if (this.ending.signal.aborted) return
    const { log, chance = Math.random } = this.options
    const grown = RETRY_FIRST_MS * 2 ** Math.min(10, entry.failures)
    entry.failures++
    entry.nextAt = this.now + Math.min(RETRY_MAX_MS, grown) * (0.9 + 0.2 * chance())
    if (entry.lastError !== message)
      log.warn(`OCSP for ${entry.names.join(', ')} at ${entry.responder}: ${message}`)
    entry.lastError = message
  }
}
