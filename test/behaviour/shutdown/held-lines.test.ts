// accessLog.bufferingSize: lines are held in the workers, and written at once when logs are reopened or the process ends.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-held-'))
const accessLog = path.join(folder, 'access.log')
const SOON_MS = 4500 // less than the 5 s for which a line is held
let origin: HttpOrigin
let gateway: Gateway
let client: RawClient

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
  gateway = await startGateway({
    routes: routesTo([origin.url]),
    static: { accessLog: { filePath: accessLog, bufferingSize: 10 } },
  })
  client = await connectRaw(gateway.port)
})

afterAll(async () => {
  client.destroy()
  if (gateway.exit === null) await gateway.stop('SIGKILL')
  await origin.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(name: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    client.send(`GET /${name}-${i} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    expect((await client.readResponse()).status).toBe(200)
  }
}

function count(name: string): number {
  const text = existsSync(accessLog) ? readFileSync(accessLog, 'utf8') : ''
  return text.split('\n').filter((line) => line.includes(`GET /${name}-`)).length
}

function untilWritten(name: string, lines: number): Promise<void> {
  return eventually(`${lines} lines`, () => count(name) === lines, SOON_MS)
}

test('lines are written once as many as bufferingSize are there', async () => {
  await ask('full', 14)
  await untilWritten('full', 10)
})

test('USR1 writes what is held', async () => {
  gateway.child.kill('SIGUSR1')
  await untilWritten('full', 14)
})

test('a shutdown writes what is held', async () => {
  await ask('last', 3)
  client.destroy()
  gateway.child.kill('SIGTERM')
  await gateway.untilExit()
  expect(gateway.exit).toEqual({ code: 0, signal: null })
  expect(count('last')).toBe(3)
})
