// USR1: log files that were moved away are opened anew, without a lost line.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-logs-'))
const accessLog = path.join(folder, 'access.log')
const log = path.join(folder, 'sluice.log')
let origin: HttpOrigin
let gateway: Gateway
let client: RawClient

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
  gateway = await startGateway({
    routes: routesTo([origin.url]),
    static: {
      accessLog: { filePath: accessLog },
      log: { level: 'INFO', filePath: log },
    },
  })
  client = await connectRaw(gateway.port)
})

afterAll(async () => {
  client.destroy()
  await gateway.stop()
  await origin.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function ask(target: string): Promise<void> {
  client.send(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
  expect((await client.readResponse()).status).toBe(200)
}

function text(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

test('log files that were moved are opened anew on USR1, and no line is lost', async () => {
  for (let i = 0; i < 50; i++) await ask(`/before-${i}`)
  await eventually('the lines to be written', () => text(accessLog).includes('/before-49'))
  renameSync(accessLog, `${accessLog}.1`)
  renameSync(log, `${log}.1`)
  gateway.child.kill('SIGUSR1')
  for (let i = 0; i < 50; i++) await ask(`/after-${i}`)
  await eventually('both new files to be there', () => existsSync(accessLog) && existsSync(log))
  await eventually('the last line', () => text(accessLog).includes('/after-49'))
  const lines = text(`${accessLog}.1`) + text(accessLog)
  expect(lines.split('\n').filter((line) => line.includes('GET /')).length).toBe(100)
  gateway.writeRoutes(routesTo([origin.url, origin.url]))
  await eventually('the new log to be written to', () => text(log).includes('compiled'))
})
