// certificates/manager/job.ts: one certificate that somebody wants: what there is, when it is due, what went wrong.
//
//   waiting --due--> ordering --issued--> valid --renewAt--> ordering
//      ^                '-----failed-----> failed --nextAt--> ordering     (a certificate from before stays in use)
//
// Owner: its resolver. Hot: no.

import { X509Certificate } from 'node:crypto'
import type { CertificatePlan } from '../../config/protocol-plans.ts'
import type { RenewalWindow } from '../acme/renewal-info.ts'
import type { Wanted } from './names.ts'
import { renewAt, renewAtWindow, retryInMs } from './schedule.ts'

export interface CertificateStatus {
  readonly resolver: string
  readonly names: readonly string[]
  readonly by: readonly string[] // routers and stores that want it
  readonly state: 'waiting' | 'ordering' | 'valid' | 'failed'
  readonly id: string // '' when there is none yet
  readonly serialNumber: string // hexadecimal
  readonly notBefore: number // milliseconds since the epoch; 0 when there is none yet
  readonly notAfter: number
  readonly nextTryAt: number // of the next order: a renewal, or another attempt; 0 for now
  readonly failures: number // in a row
  readonly lastError: string // of the last attempt; '' after a success
  readonly lastErrorAt: number
}

export class Job {
  wanted: Wanted
  certificate: CertificatePlan | null = null
  window: RenewalWindow | null = null
  askAt = 0 // when the authority is asked for its window again
  isOrdering = false
  private leaf: X509Certificate | null = null
  private nextAt = 0
  private failures = 0
  private lastError = ''
  private lastErrorAt = 0
  private readonly durationMs: number

  constructor(wanted: Wanted, durationMs: number) {
    this.wanted = wanted
    this.durationMs = durationMs
  }

  use(certificate: CertificatePlan | null): void {
    if (certificate?.id === this.certificate?.id) return
    this.certificate = certificate
    this.leaf = certificate && new X509Certificate(certificate.certPem)
    this.window = null
    this.askAt = 0
  }

  get dueAt(): number {
    if (this.certificate === null || this.leaf === null) return this.nextAt
    const lifetime = {
      id: this.certificate.id,
      notBefore: Date.parse(this.leaf.validFrom),
      notAfter: this.certificate.notAfter,
    }
    const at =
      this.window === null
        ? renewAt(lifetime, this.durationMs)
        : renewAtWindow(lifetime, this.window)
    return Math.max(at, this.nextAt)
  }

  succeeded(certificate: CertificatePlan): void {
    this.failures = 0
    this.lastError = ''
    this.nextAt = 0
    this.use(certificate)
  }

  failed(message: string, retryAfterMs: number, now: number, chance: number): void {
    this.failures++
    this.lastError = message
    this.lastErrorAt = now
    this.nextAt = now + retryInMs(this.failures, retryAfterMs, chance)
  }

  // Not a failure: somebody else is at it.
  waitUntil(at: number): void {
    this.nextAt = at
  }

  get status(): CertificateStatus {
    const { wanted, certificate, leaf } = this
    return {
      resolver: wanted.resolver,
      names: wanted.names,
      by: wanted.by,
      state: this.state,
      id: certificate?.id ?? '',
      serialNumber: leaf?.serialNumber ?? '',
      notBefore: leaf === null ? 0 : Date.parse(leaf.validFrom),
      notAfter: certificate?.notAfter ?? 0,
      nextTryAt: Math.round(this.dueAt),
      failures: this.failures,
      lastError: this.lastError,
      lastErrorAt: this.lastErrorAt,
    }
  }

  private get state(): CertificateStatus['state'] {
    if (this.isOrdering) return 'ordering'
    if (this.failures > 0) return 'failed'
    return this.certificate === null ? 'waiting' : 'valid'
  }
}
