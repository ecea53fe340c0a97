// certificates/challenges/shared-board.ts: the answers of one resolver that several gateways give.
//
// Owner:  the manager; one per resolver with a shared store. Hot: no. The gateway that orders writes its answers into
//         the store; all look there every LOOK_MS. It tells the authority only after two such looks, so that whichever
//         gateway is asked knows the answer. What another gateway wrote is checked before it is served.

import type { ChallengePlan } from '../../config/protocol-plans.ts'
import { isObject } from '../http.ts'
import type { SharedChallenges } from '../storage/contract.ts'
import type { Board, ChallengeBoard } from './board.ts'

const LOOK_MS = 2000
const SETTLE_MS = LOOK_MS * 2 + 500

export class SharedBoard implements Board {
  private readonly resolver: string
  private readonly board: ChallengeBoard
  private readonly shared: SharedChallenges
  private readonly warn: (message: string) => void
  private readonly own = new Set<string>()
  private others = new Map<string, ChallengePlan>()
  private readonly timer: NodeJS.Timeout
  private isLooking = false
  private isFailing = false

  constructor(
    resolver: string,
    board: ChallengeBoard,
    shared: SharedChallenges,
    warn: (message: string) => void,
  ) {
    this.resolver = resolver
    this.board = board
    this.shared = shared
    this.warn = warn
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref()
  }

  async put(plans: readonly ChallengePlan[]): Promise<void> {
    for (const { name } of plans) this.own.add(name)
    await this.shared.put(this.resolver, plans)
    await this.board.put(plans)
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS)) // until every gateway has looked
  }

  async take(plans: readonly ChallengePlan[]): Promise<void> {
    const names = plans.map(({ name }) => name)
    for (const name of names) this.own.delete(name)
    await this.board.take(plans)
    await this.shared.take(this.resolver, names)
  }

  close(): void {
    clearInterval(this.timer)
  }

  private async look(): Promise<void> {
    if (this.isLooking) return
    this.isLooking = true
    try {
      await this.adopt(await this.shared.list(this.resolver))
      this.isFailing = false
    } catch (fault) {
      const message = fault instanceof Error ? fault.message : String(fault)
      if (!this.isFailing) this.warn(`challenges of other gateways are not known: ${message}`)
      this.isFailing = true
    } finally {
      this.isLooking = false
    }
  }

  private async adopt(found: readonly unknown[]): Promise<void> {
    const plans = found.map(checkedPlan).filter((plan) => plan !== null)
    const next = new Map(
      plans.filter(({ name }) => !this.own.has(name)).map((one) => [one.name, one]),
    )
    const gone = [...this.others.values()].filter(({ name }) => !next.has(name))
    const fresh = [...next.values()].filter(({ name }) => !this.others.has(name))
    const kept = [...this.others.values()].filter(({ name }) => next.has(name))
    this.others = new Map([...kept, ...fresh].map((plan) => [plan.name, plan]))
    if (gone.length > 0) await this.board.take(gone)
    if (fresh.length > 0) await this.board.put(fresh)
  }
}

function checkedPlan(value: unknown): ChallengePlan | null {
  if (!isObject(value)) return null
  const { kind, name, entryPoint, token, keyAuthorization, host, certPem, keyPem } = value
  if (typeof name !== 'string') return null
  if (kind === 'http-01' && areTexts(entryPoint, token, keyAuthorization)) {
    const isSafe = /^[\w-]+$/.test(String(token)) && /^[\w.-]+$/.test(String(keyAuthorization))
    if (!isSafe) return null
    return {
      kind,
      name,
      entryPoint: String(entryPoint),
      token: String(token),
      keyAuthorization: String(keyAuthorization),
    }
  }
  if (kind === 'tls-alpn-01' && areTexts(host, certPem, keyPem))
    return { kind, name, host: String(host), certPem: String(certPem), keyPem: String(keyPem) }
  return null
}

function areTexts(...values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'string')
}
