// A start that can't succeed, or is called off, ends at once and says why.

import net from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Gateway, freePorts, startGateway } from '../../support/gateway.ts'

let gateway: Gateway | null = null

afterEach(async () => {
  if (gateway !== null && gateway.exit === null) await gateway.stop('SIGKILL')
  gateway = null
})

test('an address that another program listens on ends the start with exit code 1', async () => {
  const other = net.createServer()
  const [port = 0, adminPort = 0] = await freePorts(2)
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
  gateway = await startGateway({ waitReady: false, ports: [port, adminPort] })
  await gateway.untilExit()
  await new Promise((resolve) => other.close(resolve))
  expect(gateway.exit).toEqual({ code: 1, signal: null })
  expect(gateway.stderr()).toMatch(/cannot listen: .*EADDRINUSE/)
})

test('SIGTERM before anything listens ends the process with exit code 0', async () => {
  gateway = await startGateway({ waitReady: false })
  await gateway.untilStderr('configuration compiled')
  gateway.child.kill('SIGTERM')
  await gateway.untilExit()
  expect(gateway.exit).toEqual({ code: 0, signal: null })
})

test('a key that does not exist ends the start with exit code 1, its place and a suggestion', async () => {
  gateway = await startGateway({ waitReady: false, static: { provider: {} } })
  await gateway.untilExit()
  expect(gateway.exit?.code).toBe(1)
  expect(gateway.stderr()).toMatch(/sluice\.yml:\d+:\d+.*provider/)
  expect(gateway.stderr()).toContain('providers')
})
