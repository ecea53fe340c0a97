// certificates/challenges/tls-alpn-01.ts: proves a name by a certificate of a special kind that is shown to whoever
// offers ALPN "acme-tls/1" alone (RFC 8737), so port 443 is enough. Hot: no.

import { isIP } from 'node:net'
import type { TlsChallengePlan } from '../../config/protocol-plans.ts'
import { generateKey, keyPem } from '../acme/keys.ts'
import { pause } from '../pause.ts'
import { addressBytes, selfSignedPem } from '../x509.ts'
import type { Board } from './board.ts'
import { type Challenge, type Solver, keyAuthorizationDigest } from './contract.ts'

const DAY_MS = 86_400_000

export class TlsAlpnSolver implements Solver {
  readonly kind = 'tls-alpn-01'
  private readonly board: Board
  private readonly delayMs: number
  private readonly plans = new Map<Challenge, TlsChallengePlan>()

  constructor(board: Board, delayMs: number) {
    this.board = board
    this.delayMs = delayMs
  }

  async present(challenges: readonly Challenge[], signal: AbortSignal): Promise<void> {
    for (const one of challenges) this.plans.set(one, await planOf(one))
    await this.board.put(this.plansOf(challenges))
    if (this.delayMs > 0) await pause(this.delayMs, signal)
  }

  async cleanup(challenges: readonly Challenge[]): Promise<void> {
    const plans = this.plansOf(challenges)
    for (const one of challenges) this.plans.delete(one)
    await this.board.take(plans).catch(() => {}) // the next publication leaves it out
  }

  private plansOf(challenges: readonly Challenge[]): TlsChallengePlan[] {
    return challenges.map((one) => this.plans.get(one)).filter((plan) => plan !== undefined)
  }
}

export async function planOf(challenge: Challenge): Promise<TlsChallengePlan> {
  const host = serverNameOf(challenge.name)
  const key = await generateKey('EC256')
  const now = Date.now()
  const certPem = selfSignedPem({
    commonName: 'ACME challenge',
    names: [challenge.name],
    notBefore: now - DAY_MS,
    notAfter: now + 7 * DAY_MS,
    key,
    acmeIdentifier: keyAuthorizationDigest(challenge),
  })
  const kind = 'tls-alpn-01'
  return { kind, name: `${kind} ${host}`, host, certPem, keyPem: keyPem(key) }
}

// RFC 8738 6: an address can't be sent as SNI, its name in the reverse tree can.
export function serverNameOf(name: string): string {
  if (isIP(name) === 0) return name.toLowerCase()
  const bytes = addressBytes(name)
  if (bytes.length === 4) return `${[...bytes].toReversed().join('.')}.in-addr.arpa`
  return `${[...bytes.toString('hex')].toReversed().join('.')}.ip6.arpa`
}
