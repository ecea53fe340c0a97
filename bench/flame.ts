// bench/flame.ts: make flame SCENARIO=x. Runs one subject under the load of a scenario, profiles its worker threads
// meanwhile, and draws flamegraphs/<scenario>.svg.
//
//   node bench/flame.ts [scenario] [--subject sluice] [--seconds 8]

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { readArguments } from './arguments.ts'
import { stopAllChildren } from './children.ts'
import type { CpuProfile, FlameSettings } from './flame/profile.ts'
import { FLAME_SETTINGS, topSelf, treeOf } from './flame/profile.ts'
import { svgOf } from './flame/svg.ts'
import { benchFolder, flamegraphsFolder, makeWorkFolder, repositoryFolder } from './folders.ts'
import type { Sample } from './measure.ts'
import { measure } from './measure.ts'
import { startOrigin } from './origin.ts'
import type { PairedScenario, Subject } from './paired.ts'
import { planOf } from './paired.ts'
import { defaultOptions } from './peers/contract.ts'
import { peers } from './peers/peers.ts'
import type { Bench } from './scenarios/contract.ts'
import { findScenarios } from './scenarios/scenarios.ts'

const DELAY_MS = 3000 // V8 has compiled the hot functions by then
const TOP_COUNT = 12

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      subject: { type: 'string', default: '' },
      seconds: { type: 'string', default: '8' },
    },
  })
  const name = positionals[0] ?? 'small'
  const seconds = Number(values.seconds)
  const { bench } = readArguments([], { pairs: 1, seconds, warmSeconds: 1, reloads: 1 })
  const scenario = findScenarios([name])[0]?.build?.(bench)
  if (scenario === undefined) throw new Error(`${name} is not one steady load and can't be drawn`)
  const subject = chooseSubject(scenario, values.subject)
  const folder = makeWorkFolder('profiles')
  const sample = await profileSubject(bench, scenario, subject, folder)
  draw(scenario, subject, folder, sample)
}

function chooseSubject(scenario: PairedScenario, asked: string): Subject {
  if (peers[asked] !== undefined && asked !== 'sluice')
    return { name: asked, peer: asked, options: {} }
  const ours = scenario.subjects.filter((subject) => subject.peer === 'sluice')
  const found = asked === '' ? ours.at(largestTable(ours)) : ours.find((one) => one.name === asked)
  if (found === undefined)
    throw new Error(`no subject ${asked}; there are ${ours.map((s) => s.name).join(', ')}`)
  return found
}

// Of the route tables, the largest is the interesting one; elsewhere the first subject is the default engine.
function largestTable(ours: readonly Subject[]): number {
  return Math.max(
    0,
    ours.findIndex((subject) => subject.name.endsWith('-10000')),
  )
}

async function profileSubject(
  bench: Bench,
  scenario: PairedScenario,
  subject: Subject,
  folder: string,
): Promise<Sample> {
  const settings: FlameSettings = { folder, delayMs: DELAY_MS, profileMs: bench.seconds * 1000 }
  const hook = pathToFileURL(path.join(benchFolder, 'flame', 'hook.ts')).href
  const env = { [FLAME_SETTINGS]: JSON.stringify(settings), NODE_OPTIONS: `--import ${hook}` }
  const origin = await startOrigin(scenario.origin ?? 'http', bench.cores.load)
  const options = { ...defaultOptions(origin.port, bench.cores.subject), ...subject.options, env }
  const peer = await peers[subject.peer]?.start(options)
  if (peer === undefined) throw new Error(`no such peer: ${subject.peer}`)
  // Load from now until after the last sample was taken and written.
  const whole = { ...bench, seconds: bench.seconds + DELAY_MS / 1000 + 1 }
  const sample = await measure(peer, planOf(whole, scenario, subject, peer.port), bench.cores.load)
  await peer.stop()
  await origin.stop()
  return sample
}

function draw(scenario: PairedScenario, subject: Subject, folder: string, sample: Sample): void {
  const tree = treeOf(readProfiles(folder), repositoryFolder)
  const idlePercent = ((tree.idleUs / (tree.idleUs + tree.root.totalUs)) * 100).toFixed(0)
  const subtitle =
    `${scenario.summary}; ${sample.cpuUs.toFixed(1)} us CPU per request while profiled, ` +
    `${(tree.root.totalUs / 1e6).toFixed(1)} s busy drawn, ${idlePercent} % idle left out`
  const ending = subject.name === 'sluice' ? '' : `-${subject.name.replace(/^sluice-/, '')}`
  const file = path.join(flamegraphsFolder, `${scenario.name}${ending}.svg`)
  mkdirSync(flamegraphsFolder, { recursive: true })
  writeFileSync(file, svgOf(tree, `${scenario.name}: ${subject.name}`, subtitle))
  process.stdout.write(`${subtitle}\n${path.relative(process.cwd(), file)}\n`)
  for (const { label, share } of topSelf(tree, TOP_COUNT)) {
    process.stdout.write(`${(share * 100).toFixed(1).padStart(6)} %  ${label}\n`)
  }
}

// Worker threads carry the requests; the main thread is drawn only where there are none.
function readProfiles(folder: string): CpuProfile[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))
  const ofWorkers = files.filter((name) => name !== 'thread-0.cpuprofile')
  const chosen = ofWorkers.length > 0 ? ofWorkers : files
  if (chosen.length === 0) throw new Error('no thread wrote a profile')
  return chosen.map(
    (name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as CpuProfile,
  )
}

try {
  await main()
} catch (error) {
  process.stderr.write(`flame: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await stopAllChildren()
}
