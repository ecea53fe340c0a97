// cli/rollout.ts: `sluice rollout [NAME ACTION]`: lists the rollouts of the running gateway, or steers one.

import type { RolloutStatus } from '../core/rollout/plan.ts'
import { rolloutActions } from '../core/rollout/progress.ts'
import { askApi, failedAnswer, findApi } from './api-client.ts'
import type { CommandArguments } from './arguments.ts'
import type { CommandIo } from './io.ts'
import { tableText } from './table.ts'

export const rolloutOptions = { switches: [], values: [] }

export async function runRollout(given: CommandArguments, io: CommandIo): Promise<number> {
  const base = findApi('rollout', '/http/rollouts', given, io)
  if (base === null) return 1
  const [name = '', action = 'show'] = given.positions
  return name === '' || action === 'show' ? list(base, name, io) : steer(base, name, action, io)
}

async function list(base: string, name: string, io: CommandIo): Promise<number> {
  const answer = await askApi('GET', base)
  if (answer.status !== 200) return failedAnswer('rollout', answer, io)
  const rollouts = (answer.value as RolloutStatus[]).filter(
    (one) => name === '' || one.name === name,
  )
  if (name !== '' && rollouts.length === 0) {
    io.err(`sluice rollout: there is no rollout ${name}\n`)
    return 1
  }
  io.out(tableText(rollouts.map(rowOf)))
  return 0
}

function rowOf({ name, state, percent, step, steps, to, reason, sides }: RolloutStatus): string[] {
  const side = sides[1]!
  const seen = `${side.requests} requests, ${side.errors} errors, p99 ${side.p99Ms} ms`
  return [name, state, `${percent} % for ${to}`, `step ${step} of ${steps.length}`, seen, reason]
}

async function steer(base: string, name: string, action: string, io: CommandIo): Promise<number> {
  if (!rolloutActions.some((one) => one === action)) {
    io.err(`sluice rollout: ${action} is none of ${rolloutActions.join(', ')}\n`)
    return 2
  }
  const answer = await askApi('POST', `${base}/${encodeURIComponent(name)}/${action}`)
  if (answer.status !== 200) return failedAnswer('rollout', answer, io)
  io.out(tableText([rowOf(answer.value as RolloutStatus)]))
  return 0
}
