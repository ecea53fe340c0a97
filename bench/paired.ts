// bench/paired.ts: runs the subjects of one scenario in turn, A B C A B C, all of them alive from the first phase to
// the last. The n-th phase of each then belongs together, which is what ratios are made from.

import type { LoadPlan } from './load/contract.ts'
import type { Sample } from './measure.ts'
import { measure } from './measure.ts'
import type { PeerOptions, RunningPeer } from './peers/contract.ts'
import { defaultOptions } from './peers/contract.ts'
import { peers } from './peers/peers.ts'
import type { Origin, OriginRole } from './origin.ts'
import { startOrigin } from './origin.ts'
import type { Bench, Outcome, SubjectResult } from './scenarios/contract.ts'

export interface Subject {
  readonly name: string // in tables and budgets: sluice, sluice-uws, nginx
  readonly peer: string
  readonly options: Partial<PeerOptions>
  readonly plan?: Partial<LoadPlan> // where it differs from the scenario's
  // Of a subject before it: asked in the same process, where two processes differ by more than what is looked for.
  readonly sharesProcessOf?: string
}

export interface PairedScenario {
  readonly name: string
  readonly summary: string
  readonly subjects: readonly Subject[]
  readonly plan: Omit<LoadPlan, 'generator' | 'port' | 'seconds' | 'isSecure' | 'streams'> &
    Partial<Pick<LoadPlan, 'generator' | 'isSecure' | 'streams'>>
  readonly origin?: OriginRole // http when absent
}

interface Contender {
  readonly subject: Subject
  readonly samples: Sample[]
  peer: RunningPeer | null
  problem: string | null
}

export async function runPaired(bench: Bench, scenario: PairedScenario): Promise<Outcome> {
  const origin = await startOrigin(scenario.origin ?? 'http', bench.cores.load)
  const contenders: Contender[] = scenario.subjects
    .filter((subject) => bench.subjects === null || bench.subjects.includes(subject.name))
    .map((subject) => ({ subject, samples: [], peer: null, problem: null }))
  try {
    for (const contender of contenders) {
      const { sharesProcessOf } = contender.subject
      const other = contenders.find(({ subject }) => subject.name === sharesProcessOf)
      contender.peer = other?.peer ?? null
      await startContender(bench, scenario, contender, origin)
    }
    for (let round = 0; round < bench.pairs; round++) {
      for (const contender of contenders) await runPhase(bench, scenario, contender, round)
    }
  } finally {
    for (const contender of contenders) await contender.peer?.stop()
    await origin.stop()
  }
  return {
    scenario: scenario.name,
    summary: scenario.summary,
    load: loadLine(bench, scenario, origin),
    subjects: contenders.map(resultOf),
    facts: [],
  }
}

// A peer that can't start spoils its own column, not the scenario.
async function startContender(
  bench: Bench,
  scenario: PairedScenario,
  contender: Contender,
  origin: Origin,
): Promise<void> {
  const { subject } = contender
  const options = { ...defaultOptions(origin.port, bench.cores.subject), ...subject.options }
  try {
    contender.peer ??= (await peers[subject.peer]?.start(options)) ?? null
    if (contender.peer === null) throw new Error(`no such peer: ${subject.peer}`)
    const warm = { ...bench, seconds: bench.warmSeconds }
    await measure(
      contender.peer,
      planOf(warm, scenario, subject, contender.peer.port),
      bench.cores.load,
    )
  } catch (error) {
    await giveUp(bench, scenario, contender, error)
  }
}

async function runPhase(
  bench: Bench,
  scenario: PairedScenario,
  contender: Contender,
  round: number,
): Promise<void> {
  if (contender.peer === null) return
  try {
    const plan = planOf(bench, scenario, contender.subject, contender.peer.port)
    const sample = await measure(contender.peer, plan, bench.cores.load)
    contender.samples.push(sample)
    bench.log(`  ${round + 1}/${bench.pairs} ${contender.subject.name}: ${sampleLine(sample)}`)
  } catch (error) {
    await giveUp(bench, scenario, contender, error)
  }
}

async function giveUp(
  bench: Bench,
  scenario: PairedScenario,
  contender: Contender,
  error: unknown,
): Promise<void> {
  contender.problem = error instanceof Error ? error.message : String(error)
  await contender.peer?.stop()
  contender.peer = null
  bench.log(`  ${scenario.name}: ${contender.subject.name} is out: ${contender.problem}`)
}

export function planOf(
  bench: Bench,
  scenario: PairedScenario,
  subject: Subject,
  port: number,
): LoadPlan {
  return {
    generator: bench.generator,
    isSecure: false,
    streams: 1,
    port,
    seconds: bench.seconds,
    ...scenario.plan,
    ...subject.plan,
  }
}

function resultOf(contender: Contender): SubjectResult {
  const { subject, samples, problem } = contender
  return { subject: subject.name, samples: problem === null ? samples : [], problem }
}

function loadLine(bench: Bench, scenario: PairedScenario, origin: Origin): string {
  const { plan } = scenario
  const kind = plan.isClosing ? 'a new connection per request' : 'kept alive'
  return (
    `${plan.generator ?? bench.generator}, ${plan.connections} connections ${kind}, ` +
    `${bench.pairs} rounds of ${bench.seconds} s after ${bench.warmSeconds} s of warm-up, origin ${origin.kind}`
  )
}

function sampleLine(sample: Sample): string {
  return (
    `${sample.cpuUs.toFixed(2)} us (user ${sample.userUs.toFixed(2)}, system ${sample.systemUs.toFixed(2)}), ` +
    `${Math.round(sample.requestsPerSecond)}/s, p99 ${Math.round(sample.p99Us)} us, ` +
    `busy ${(sample.busyShare * 100).toFixed(0)} %, ${sample.failures} failed`
  )
}
