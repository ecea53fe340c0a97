// core/rate/headers.ts: headers that tell a client of its limit.
//
//   RateLimit-Policy: "shop";q=20;w=2        RateLimit: "shop";r=17;t=1     (draft-ietf-httpapi-ratelimit-headers-10)
//   X-RateLimit-Limit: 20   X-RateLimit-Remaining: 17   X-RateLimit-Reset: 1      (seconds, as Traefik Hub sends them)
//
// Hot: where they are switched on, a few short strings per response.

import type { Head } from '../headers.ts'
import { secondsText } from './duration-text.ts'

export interface HeaderOptions {
  readonly standardHeaders: boolean
  readonly responseHeaders: boolean
}

export class LimitHeaders {
  readonly isOn: boolean
  private readonly standard: boolean
  private readonly plain: boolean
  private readonly name: string // quoted: a string of structured fields (RFC 9651)
  private readonly policy: string
  private readonly quota: string

  constructor(options: HeaderOptions, name: string, quota: number, windowSeconds: number) {
    this.standard = options.standardHeaders
    this.plain = options.responseHeaders
    this.isOn = this.standard || this.plain
    this.name = `"${name.replace(/[^ -~]|["\\]/g, '')}"`
    this.policy = `${this.name};q=${quota};w=${windowSeconds}`
    this.quota = String(quota)
  }

  // Several limits of one request are members of one list; of the plain ones the outermost limit is told.
  write(response: Head, remaining: number, resetMs: number): void {
    const reset = secondsText(resetMs)
    if (this.standard) {
      response.add('RateLimit-Policy', this.policy)
      response.add('RateLimit', `${this.name};r=${remaining};t=${reset}`)
    }
    if (!this.plain) return
    response.set('X-RateLimit-Limit', this.quota)
    response.set('X-RateLimit-Remaining', String(remaining))
    response.set('X-RateLimit-Reset', reset)
  }
}
