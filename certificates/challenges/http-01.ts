// certificates/challenges/http-01.ts: proves a name by a token under /.well-known/acme-challenge/ on port 80, which
// the workers answer (RFC 8555 8.3). Hot: no.

import type { HttpChallengePlan } from '../../config/protocol-plans.ts'
import { pause } from '../pause.ts'
import type { Board } from './board.ts'
import type { Challenge, Solver } from './contract.ts'

export class HttpSolver implements Solver {
  readonly kind = 'http-01'
  private readonly board: Board
  private readonly entryPoint: string
  private readonly delayMs: number // for gateways that learn of tokens later than this one
  private readonly plans = new Map<Challenge, HttpChallengePlan>()

  constructor(board: Board, entryPoint: string, delayMs: number) {
    this.board = board
    this.entryPoint = entryPoint
    this.delayMs = delayMs
  }

  async present(challenges: readonly Challenge[], signal: AbortSignal): Promise<void> {
    for (const one of challenges) this.plans.set(one, this.planOf(one))
    await this.board.put(this.plansOf(challenges))
    if (this.delayMs > 0) await pause(this.delayMs, signal)
  }

  async cleanup(challenges: readonly Challenge[]): Promise<void> {
    const plans = this.plansOf(challenges)
    for (const one of challenges) this.plans.delete(one)
    await this.board.take(plans).catch(() => {}) // the next publication leaves it out
  }

  private plansOf(challenges: readonly Challenge[]): HttpChallengePlan[] {
    return challenges.map((one) => this.plans.get(one)).filter((plan) => plan !== undefined)
  }

  private planOf({ token, keyAuthorization }: Challenge): HttpChallengePlan {
    const { kind, entryPoint } = this
    return { kind, name: `${kind} ${token}`, entryPoint, token, keyAuthorization }
  }
}
