// A second process on the same ports takes over from the first, which ends by itself.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Gateway, type GatewayOptions, routesTo, startGateway } from '../../support/gateway.ts'
import { startLoad } from '../../support/load.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'

let origin: HttpOrigin
let folder = ''
const gateways: Gateway[] = []

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
})

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-upgrade-'))
})

afterEach(async () => {
  for (const gateway of gateways.splice(0)) if (gateway.exit === null) await gateway.stop('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

afterAll(() => origin.stop())

function pidFile(): string {
  return path.join(folder, 'sluice.pid')
}

function pidInFile(): number {
  return Number(readFileSync(pidFile(), 'utf8'))
}

async function start(more: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway({
    workers: 2,
    routes: routesTo([origin.url]),
    static: { upgrade: { pidFile: pidFile() } },
    ...more,
  })
  gateways.push(gateway)
  return gateway
}

function startSuccessor(before: Gateway, more: GatewayOptions = {}): Promise<Gateway> {
  return start({ ports: [before.port, before.adminPort], ...more })
}

test('the second process takes over, and the first ends with exit code 0', async () => {
  const first = await start()
  expect(pidInFile()).toBe(first.child.pid)
  const second = await startSuccessor(first)
  await first.untilExit()
  expect(first.exit).toEqual({ code: 0, signal: null })
  expect(pidInFile()).toBe(second.child.pid)
  expect((await second.admin('/ready')).status).toBe(200)
  await second.stop()
  expect(() => pidInFile()).toThrow('ENOENT')
})

test.each(['node', 'uws'] as const)(
  'no request fails on connections that are kept or opened while a process with engine %s is replaced',
  async (engine) => {
    let current = await start({ engine })
    // A draining process ends connections that have been quiet for a second.
    const load = startLoad({ port: current.port, keepAlive: 8, fresh: 2, quietMsMax: 1000 })
    await load.untilMore(200)
    for (let upgrade = 0; upgrade < 3; upgrade++) {
      const before = current
      current = await startSuccessor(before, { engine })
      await before.untilExit()
      expect(before.exit).toEqual({ code: 0, signal: null })
      await load.untilMore(200)
    }
    await load.stop()
    // A connection that completes between a listener's last accept and its close is reset by the kernel
    // (see Listener.close): rare, and never a request on a connection that was accepted.
    const resets = load.failures.filter((failure) => /ECONNRESET(?!.*[1-9]\d* bytes)/.test(failure))
    expect(load.failures.filter((failure) => !resets.includes(failure))).toEqual([])
    expect(resets.length).toBeLessThanOrEqual(2)
    expect(load.closed).toBeGreaterThan(0)
  },
  120_000,
)

test('a successor whose configuration cannot be read leaves the first process alone', async () => {
  const first = await start()
  const folderOfRoutes = path.join(folder, 'missing', 'routes.yml')
  const second = await startSuccessor(first, {
    waitReady: false,
    static: {
      upgrade: { pidFile: pidFile() },
      providers: { file: { filename: folderOfRoutes } },
    },
  })
  await second.untilExit()
  expect(second.exit?.code).toBe(1)
  expect(second.stderr()).toContain(`process ${first.child.pid} goes on`)
  expect(pidInFile()).toBe(first.child.pid)
  expect(first.exit).toBe(null)
  expect((await first.admin('/ready')).status).toBe(200)
})

test('a pid file that names another program is not taken for ours', async () => {
  writeFileSync(pidFile(), `${process.pid}\n`)
  const gateway = await start()
  expect(pidInFile()).toBe(gateway.child.pid)
  await gateway.stop()
})
