// bench/scenarios/contract.ts: what a scenario is given and what it gives back.

import type { Cores } from '../cores.ts'
import type { Generator } from '../load/contract.ts'
import type { Sample } from '../measure.ts'
import type { PairedScenario } from '../paired.ts'

export interface Bench {
  readonly cores: Cores
  readonly rivals: readonly string[] // names of peers next to Sluice
  readonly subjects: readonly string[] | null // only these of a steady load; null: all
  readonly pairs: number
  readonly seconds: number // of one phase
  readonly warmSeconds: number // V8 compiles its hot functions in the first two seconds
  readonly generator: Generator
  readonly reloads: number // of the scenario of the same name
  readonly log: (line: string) => void
}

export interface SubjectResult {
  readonly subject: string
  readonly samples: readonly Sample[] // empty when it did not run
  readonly problem: string | null // why it did not
}

// A number that is no sample of a load: a start time, bytes per connection, failed requests.
export interface Fact {
  readonly subject: string
  readonly metric: string
  readonly value: number
  readonly unit: string
}

export interface Outcome {
  readonly scenario: string
  readonly summary: string
  readonly load: string // one line: generator, connections, phases
  readonly subjects: readonly SubjectResult[]
  readonly facts: readonly Fact[]
}

export interface Scenario {
  readonly name: string
  readonly summary: string
  readonly build?: (bench: Bench) => PairedScenario // only of a steady load; the flamegraphs use it
  readonly run: (bench: Bench) => Promise<Outcome>
}
