// certificates/challenges/board.ts: the answers that are up at the moment, of all resolvers together.
//
// Owner:  the manager. Hot: no. Whatever is put up is published to the workers before put() resolves, so that the
//         authority never comes before its answer. Changes are published one after another, each time all of them.

import type { ChallengePlan } from '../../config/protocol-plans.ts'

export type PublishChallenges = (plans: readonly ChallengePlan[]) => Promise<void>

export interface Board {
  put(plans: readonly ChallengePlan[]): Promise<void>
  take(plans: readonly ChallengePlan[]): Promise<void>
}

export class ChallengeBoard implements Board {
  private readonly up = new Map<string, ChallengePlan>()
  private readonly publish: PublishChallenges
  private last: Promise<void> = Promise.resolve()

  constructor(publish: PublishChallenges) {
    this.publish = publish
  }

  put(plans: readonly ChallengePlan[]): Promise<void> {
    for (const plan of plans) this.up.set(plan.name, plan)
    return this.tell()
  }

  take(plans: readonly ChallengePlan[]): Promise<void> {
    for (const plan of plans) if (this.up.get(plan.name) === plan) this.up.delete(plan.name)
    return this.tell()
  }

  private tell(): Promise<void> {
    const next = this.last.then(() => this.publish([...this.up.values()]))
    this.last = next.catch(() => {})
    return next
  }
}
