// /ready must not send traffic to a gateway that knows only part of its routes.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { routesTo } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'

let origin: HttpOrigin
let running: TestSupervisor

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
  running = await startSupervisor(2, {}, 'incomplete')
})

afterAll(async () => {
  await running.stop()
  await origin.stop()
})

test('a gateway is ready once the first complete generation was adopted, not once it was published', async () => {
  const { supervisor } = running
  expect(supervisor.handles.every((handle) => handle.adopted === 1)).toBe(true)
  expect(supervisor.ready).toBe(false)
  supervisor.publish(running.generationOf(routesTo([origin.url]), 2))
  supervisor.completeConfiguration()
  expect(supervisor.ready).toBe(false)
  await running.until('the gateway to be ready', () => supervisor.ready)
  expect(supervisor.handles.every((handle) => handle.adopted === 2)).toBe(true)
})
