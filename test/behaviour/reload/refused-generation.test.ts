// A generation that a worker can't build is abandoned by all. Configuration never compiles to one; the test
// makes it by hand, large enough to be under way in many slices when the first of them fails.

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Generation, RouterPlan } from '../../../config/generation.ts'
import { routesTo } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'

let origin: HttpOrigin
let running: TestSupervisor

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => response.end(request.url))
  running = await startSupervisor(2, routesTo([origin.url]))
})

afterAll(async () => {
  await running.stop()
  await origin.stop()
})

// 2,000 routers, of which the first one names a middleware that is not there.
function brokenGeneration(number: number): Generation {
  const good = running.generationOf(routesTo([origin.url]), number)
  const template = good.routers.get('all@file')!
  const routers = new Map<string, RouterPlan>()
  for (let i = 0; i < 2000; i++) {
    const name = `r${i}@file`
    const middlewares = i === 0 ? ['missing@file'] : []
    routers.set(name, { ...template, name, rule: `Path(\`/${i}\`)`, middlewares })
  }
  return { ...good, routers }
}

async function get(target: string): Promise<number> {
  const client = await connectRaw(running.port)
  client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  const { status } = await client.readResponse()
  client.destroy()
  return status
}

test('a generation that no worker can build is abandoned, and the next one is served', async () => {
  const { supervisor } = running
  for (let round = 0; round < 5; round++) {
    const number = supervisor.generation.number + 1
    supervisor.publish(brokenGeneration(number))
    const only = { ...routesTo([origin.url]) } as { http: Record<string, unknown> }
    const rule = `Path(\`/only-${round}\`)`
    const routers = { only: { rule, entryPoints: ['web'], service: 'origin' } }
    supervisor.publish(running.generationOf({ http: { ...only.http, routers } }, number + 1))
    await running.until('the good generation to be adopted by all', () =>
      supervisor.handles.every((handle) => handle.adopted === number + 1),
    )
    expect(running.log.join('\n')).toContain(`could not build generation ${number}`)
    expect(await get(`/only-${round}`)).toBe(200)
    expect(await get('/7')).toBe(404)
  }
  expect(supervisor.restarts).toBe(0)
})
