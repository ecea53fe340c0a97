// SIGTERM while the gateway is still starting: it ends at once and cleanly, in whatever state it is.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'

const PROMPT_MS = 8000 // a whole start takes 300 ms when nothing else runs; a grace would be 10 s
let gateway: Gateway | null = null
let child: ChildProcess | null = null

afterEach(async () => {
  child?.kill('SIGKILL')
  if (gateway !== null && gateway.exit === null) await gateway.stop('SIGKILL')
  gateway = null
})

const start = (): Promise<Gateway> =>
  startGateway({ waitReady: false, workers: 2, routes: routesTo(['http://127.0.0.1:1']) })

async function endAfter(started: Gateway, ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  const from = performance.now()
  started.child.kill('SIGTERM')
  await started.untilExit()
  expect(performance.now() - from).toBeLessThan(PROMPT_MS)
  expect(started.stderr()).not.toMatch(/ERR|Error|rejection/)
}

// Workers begin before the configuration is compiled, and listen after it.
test.each([0, 10, 30, 60, 100, 150, 200, 300, 500])(
  'SIGTERM %i ms after the first configuration was compiled ends the process with exit code 0',
  async (ms) => {
    gateway = await start()
    await gateway.untilStderr('configuration compiled')
    await endAfter(gateway, ms)
    expect(gateway.exit).toEqual({ code: 0, signal: null })
  },
)

test.each([0, 20, 40, 60, 80, 100, 130, 160, 200, 250, 300])(
  'SIGTERM %i ms after the start of the process ends it',
  async (ms) => {
    gateway = await start()
    await endAfter(gateway, ms)
    // Before the program is there, the signal does what it does to every process.
    expect([
      { code: 0, signal: null },
      { code: null, signal: 'SIGTERM' },
    ]).toContainEqual(gateway.exit)
  },
)

// What bin/sluice does before the first line of the program: the loader, and nothing else yet.
async function exitUnderLoader(...args: string[]): Promise<unknown[]> {
  const loader = path.join(import.meta.dirname, '..', '..', '..', 'bin', 'load.mjs')
  const program = "data:text/javascript,process.stdout.write('here');setInterval(()=>{},1000)"
  const run = ['--import', loader, '--import', program, '--', '/dev/null', ...args]
  child = spawn(process.execPath, run, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  return exit
}

test('SIGTERM before the first line of the program ran ends a gateway with exit code 0', async () => {
  expect(await exitUnderLoader('--configFile=/etc/sluice/sluice.yml')).toEqual([0, null])
})

test('a command that is interrupted does not pretend to have succeeded', async () => {
  expect(await exitUnderLoader('check', '/etc/sluice/sluice.yml')).toEqual([null, 'SIGTERM'])
})
