// core/rollout/plan.ts: what a progressive rollout is told: how fast, and what ends it, and what it says of
// itself. Plain data.

export interface RolloutPlan {
  readonly steps: readonly number[] // percent of the requests that the new service gets, rising
  readonly intervalMs: number // of each step
  readonly startsPaused: boolean
  readonly maxErrorRatio: number // of the new service's answers, those of 500 and above; 1: any
  readonly maxP99Ms: number // of its answers; 0: any
  readonly minRequests: number // a step is judged, and ends, only after so many
}

// For the API and the CLI.
export interface RolloutStatus {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly state: string
  readonly percent: number
  readonly step: number // counted from 1; 0 before the first
  readonly steps: readonly number[]
  readonly reason: string
  readonly sides: readonly {
    readonly service: string
    readonly requests: number
    readonly errors: number
    readonly p99Ms: number
  }[]
}

// A weighted service with a rollout, as far as the rollout goes by it.
export interface RolledOut {
  readonly name: string
  readonly services: readonly { readonly name: string }[] // the old one, then the new one
  readonly rollout: RolloutPlan | null
}

// Whoever changes any of it begins anew: the name of the slot that all workers share says all of it. The two services
// belong to it: what was found good of one new service says nothing of the next.
export function rolloutSlotName({ name, services, rollout }: RolledOut): string {
  const children = services.map((child) => child.name) // not their weights, which nobody looks at meanwhile
  return `rollout ${name} ${JSON.stringify([children, rollout])}`
}
