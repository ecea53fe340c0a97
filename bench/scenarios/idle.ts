// bench/scenarios/idle.ts: what one kept connection costs while it does nothing.
//
// 10,000 connections are opened, each is answered once, and all are held. The memory before and after, divided by
// their number; nothing is collected by force, because no operator can either.

import path from 'node:path'
import type { Child } from '../children.ts'
import { logTailOf, startChild } from '../children.ts'
import { processTree, rssKibOf } from '../cpu.ts'
import { benchFolder } from '../folders.ts'
import { measure } from '../measure.ts'
import { startOrigin } from '../origin.ts'
import type { Subject } from '../paired.ts'
import type { RunningPeer } from '../peers/contract.ts'
import { OPEN_FILES_MAX, defaultOptions } from '../peers/contract.ts'
import { peers } from '../peers/peers.ts'
import { median } from '../statistics.ts'
import type { Bench, Fact, Outcome, Scenario, SubjectResult } from './contract.ts'
import { basePlan, sluiceNode, sluiceUws } from './steady.ts'

const CONNECTIONS = 10_000
const OPEN_MAX_MS = 60_000
const SETTLE_READINGS = 10
const READING_MS = 300

export const idle: Scenario = {
  name: 'idle',
  summary: `${CONNECTIONS} idle kept connections`,
  run,
}

async function run(bench: Bench): Promise<Outcome> {
  const origin = await startOrigin('http', bench.cores.load)
  const facts: Fact[] = []
  const subjects: SubjectResult[] = []
  const rivals = bench.rivals.map((name) => ({ name, peer: name, options: {} }))
  try {
    for (const subject of [sluiceNode, sluiceUws, ...rivals]) {
      subjects.push(await runSubject(bench, subject, origin.port, facts))
    }
  } finally {
    await origin.stop()
  }
  const load = `${CONNECTIONS} connections, one request each, then held for ${(SETTLE_READINGS * READING_MS) / 1000} s`
  return { scenario: idle.name, summary: idle.summary, load, subjects, facts }
}

async function runSubject(
  bench: Bench,
  subject: Subject,
  originPort: number,
  facts: Fact[],
): Promise<SubjectResult> {
  let peer: RunningPeer | null = null
  try {
    const options = { ...defaultOptions(originPort, bench.cores.subject), ...subject.options }
    peer = (await peers[subject.peer]?.start(options)) ?? null
    if (peer === null) throw new Error(`no such peer: ${subject.peer}`)
    const kib = await kibPerConnection(bench, peer)
    facts.push({ subject: subject.name, metric: 'idleKib', value: kib, unit: 'KiB each' })
    bench.log(`  ${subject.name}: ${kib.toFixed(2)} KiB per idle connection`)
    return { subject: subject.name, samples: [], problem: null }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    bench.log(`  idle: ${subject.name} is out: ${problem}`)
    return { subject: subject.name, samples: [], problem }
  } finally {
    await peer?.stop()
  }
}

async function kibPerConnection(bench: Bench, peer: RunningPeer): Promise<number> {
  const plan = {
    ...basePlan,
    generator: bench.generator,
    port: peer.port,
    isSecure: false,
    streams: 1,
    seconds: bench.warmSeconds,
  }
  await measure(peer, plan, bench.cores.load)
  const before = await settledRssKib(peer)
  const holder = await holdConnections(peer.port, bench.cores.load)
  try {
    return ((await settledRssKib(peer)) - before) / CONNECTIONS
  } finally {
    await holder.stop()
  }
}

// The median of the readings of three seconds: a collection in between is part of being idle.
async function settledRssKib(peer: RunningPeer): Promise<number> {
  const readings: number[] = []
  for (let i = 0; i < SETTLE_READINGS; i++) {
    await new Promise((resolve) => setTimeout(resolve, READING_MS))
    readings.push(rssKibOf(processTree(peer.child.pid)))
  }
  return median(readings)
}

// Resolves when every connection has had its answer; rejects when one of them was refused.
async function holdConnections(port: number, cores: string | null): Promise<Child> {
  const script = path.join(benchFolder, 'load', 'idle-process.ts')
  const flag = '--disable-warning=ExperimentalWarning'
  const command = [process.execPath, flag, script, String(port), String(CONNECTIONS)]
  const holder = startChild(command, { name: 'idle', cores, openFilesMax: OPEN_FILES_MAX })
  const isHolding = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), OPEN_MAX_MS)
    const settle = (isOpen: boolean): void => {
      clearTimeout(timer)
      resolve(isOpen)
    }
    holder.process.stdout?.once('data', () => settle(true))
    holder.process.once('exit', () => settle(false))
  })
  if (isHolding) return holder
  await holder.stop()
  throw new Error(`connections were lost or left waiting: ${logTailOf(holder)}`)
}
