// bench/load/load.ts: runs one load with whichever generator the plan names.

import path from 'node:path'
import { logTailOf, outputOf, startChild } from '../children.ts'
import { benchFolder } from '../folders.ts'
import type { Generator, LoadPlan, LoadResult } from './contract.ts'
import { runH2load } from './h2load.ts'
import { isWrkInstalled, runWrk } from './wrk.ts'

type NodeGenerator = Exclude<Generator, 'h2load'>

const SCRIPTS: Readonly<Record<NodeGenerator, string>> = {
  wrk: 'own-process.ts', // a paced plan: wrk knows no pace
  own: 'own-process.ts',
  autocannon: 'autocannon-process.ts',
  'tls-resume': 'tls-resume-process.ts',
  websocket: 'websocket-process.ts',
  udp: 'udp-process.ts',
}

export function bestGenerator(): Generator {
  return isWrkInstalled() ? 'wrk' : 'own'
}

export function runLoad(plan: LoadPlan, cores: string | null): Promise<LoadResult> {
  if (plan.generator === 'h2load') return runH2load(plan, cores)
  if (plan.isSecure && (plan.generator === 'own' || plan.generator === 'autocannon'))
    throw new Error(`${plan.generator} speaks no TLS; install wrk`)
  if (plan.generator === 'wrk' && plan.ratePerSecond === 0) return runWrk(plan, cores)
  return runNodeLoad(plan, SCRIPTS[plan.generator], cores)
}

async function runNodeLoad(
  plan: LoadPlan,
  file: string,
  cores: string | null,
): Promise<LoadResult> {
  const script = path.join(benchFolder, 'load', file)
  const flag = '--disable-warning=ExperimentalWarning'
  const child = startChild([process.execPath, flag, script, JSON.stringify(plan)], {
    name: 'load',
    cores,
  })
  const output = await outputOf(child)
  if (!output.startsWith('{')) throw new Error(`the load gave no result: ${logTailOf(child)}`)
  return JSON.parse(output) as LoadResult
}
