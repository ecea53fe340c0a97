// A thread that ends with an open socket of uWebSockets.js would take the whole process with it: Node's check that
// nothing is left of its event loop aborts.

import { expect, test } from 'vitest'
import type { ToWorker } from '../../workers/messages.ts'
import type { WorkerHandle } from '../../workers/worker-handle.ts'
import { freePorts, routesTo } from '../support/gateway.ts'
import { startHttpOrigin } from '../support/origin.ts'
import { connectRaw } from '../support/raw-client.ts'
import { startSupervisor } from '../support/supervisor.ts'

test.each([
  ['throws', (worker: WorkerHandle) => worker.post(null as unknown as ToWorker)], // a defect outside of requests
  ['is given up on', (worker: WorkerHandle) => worker.end('for a test')],
])(
  'a worker with engine uws and open connections that %s is replaced, and the others go on',
  async (_what, harm) => {
    const origin = await startHttpOrigin((_request, response) => response.end('served'))
    const [port = 0] = await freePorts(1)
    const web = { engine: 'uws', address: `127.0.0.1:${port}` }
    const running = await startSupervisor(2, routesTo([origin.url]), 'complete', { web })
    const ask = async (): Promise<string> => {
      const client = await connectRaw(port)
      client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
      return (await client.readResponse()).body // the connection stays open
    }
    for (let i = 0; i < 8; i++) expect(await ask()).toBe('served')
    const before = running.worker(0)
    harm(before)
    await running.until(
      'worker 0 to be replaced',
      () => running.worker(0) !== before && running.worker(0).listening,
    )
    for (let i = 0; i < 8; i++) expect(await ask()).toBe('served')
    await running.stop()
    await origin.stop()
  },
)
