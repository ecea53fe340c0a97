// test/engine/suite.ts: the contract that every engine keeps, as one set of tests that run on each.
//
// An engine that can't pass a test skips it by name, with the reason, which is shown as the test's note. A
// skip whose name no test has is a failure: reasons must not outlive their tests.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { GatewayOptions } from '../support/gateway.ts'
import { bodyCases } from './cases/bodies.ts'
import { exchangeCases } from './cases/exchanges.ts'
import { failureCases } from './cases/failures.ts'
import { lifeCases } from './cases/life.ts'
import { limitCases } from './cases/limits.ts'
import { refusalCases } from './cases/refusals.ts'
import { type Engine, World } from './world.ts'

export interface Case {
  readonly name: string
  readonly run: (world: World) => Promise<void>
  readonly options?: GatewayOptions // a gateway of its own, for this case only
  readonly ownGateway?: boolean
  readonly chunked?: boolean // sends a chunked request: engine uws must be told to trust the client
}

const topics: readonly (readonly [string, readonly Case[]])[] = [
  ['exchanges', exchangeCases],
  ['bodies', bodyCases],
  ['requests that could be read in two ways', refusalCases],
  ['failures of servers', failureCases],
  ['limits and timeouts', limitCases],
  ['reload and drain', lifeCases],
]

export type Skips = Readonly<Record<string, string>> // name of a test: reason

export function engineSuite(engine: Engine, skips: Skips = {}): void {
  it('skips only tests that exist', () => {
    const names = topics.flatMap(([, cases]) => cases.map((one) => one.name))
    expect(Object.keys(skips).filter((name) => !names.includes(name))).toEqual([])
    expect(new Set(names).size).toBe(names.length)
  })
  for (const [topic, cases] of topics) {
    describe(topic, () => runTopic(engine, cases, skips))
  }
}

function runTopic(engine: Engine, cases: readonly Case[], skips: Skips): void {
  let world: World | null = null
  beforeAll(async () => {
    world = await World.start(engine)
  })
  afterEach(() => world?.closeClients())
  afterAll(async () => world?.stop())
  for (const one of cases) {
    const reason = skips[one.name]
    if (reason !== undefined) it.skip(`${one.name} (skipped: ${reason})`)
    else if (one.options !== undefined || one.ownGateway === true || needsTrust(engine, one)) {
      it(one.name, () => runAlone(engine, one))
    } else it(one.name, () => one.run(world!))
  }
}

function needsTrust(engine: Engine, one: Case): boolean {
  return engine === 'uws' && one.chunked === true
}

async function runAlone(engine: Engine, one: Case): Promise<void> {
  const trust = needsTrust(engine, one) ? { web: { trustChunkedRequests: true } } : {}
  const world = await World.start(engine, { ...trust, ...one.options })
  try {
    await one.run(world)
  } finally {
    await world.stop()
  }
}
