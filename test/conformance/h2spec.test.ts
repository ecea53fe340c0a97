// h2spec (github.com/summerwind/h2spec), strict, against a gateway in front of a plain server: clear text by prior
// knowledge, and TLS. Install: go install github.com/summerwind/h2spec/cmd/h2spec@latest

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type HttpOrigin, startHttpOrigin } from '../support/origin.ts'
import { type Gateway, freePorts, routesTo, startGateway } from '../support/gateway.ts'

const RUNS = Number(process.env['H2SPEC_RUNS'] ?? 1)
const CASES_MIN = 145

const places = [
  ...(process.env['PATH'] ?? '').split(path.delimiter),
  path.join(process.env['GOPATH'] ?? path.join(homedir(), 'go'), 'bin'),
]
const program = places.map((place) => path.join(place, 'h2spec')).find(existsSync)

function run(port: number, flags: readonly string[]): Promise<string> {
  const all = ['--strict', '--timeout', '5', '-h', '127.0.0.1', '-p', String(port), ...flags]
  return new Promise((resolve) => {
    execFile(program!, all, { maxBuffer: 1 << 24, timeout: 60_000 }, (_fault, stdout, stderr) => {
      resolve(stdout + stderr)
    })
  })
}

describe.skipIf(program === undefined)(
  'h2spec, strict (skipped where h2spec is not installed)',
  () => {
    let origin: HttpOrigin
    let gateway: Gateway
    let tlsPort = 0

    beforeAll(async () => {
      origin = await startHttpOrigin((request, response) => {
        request.resume()
        request.on('end', () => response.end('an answer with a body'))
      })
      ;[tlsPort = 0] = await freePorts(1)
      const routes = routesTo([origin.url]) as { http: { routers: { all: object } } }
      const all = { ...routes.http.routers.all, entryPoints: ['web', 'websecure'] }
      gateway = await startGateway({
        entryPoints: { websecure: { address: `127.0.0.1:${tlsPort}`, http: { tls: {} } } },
        routes: { ...routes, http: { ...routes.http, routers: { all } } },
      })
    })

    afterAll(async () => {
      await gateway?.stop()
      await origin?.stop()
    })

    test.each([
      ['clear text', []],
      ['TLS', ['-t', '-k']],
    ])(
      'no case fails over %s',
      async (name, flags) => {
        for (let i = 0; i < RUNS; i++) {
          const said = await run(name === 'TLS' ? tlsPort : gateway.port, flags)
          const summary = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(said)
          expect(summary, said).not.toBeNull()
          const [, tests, passed, skipped, failed] = summary!.map(Number)
          expect([failed, skipped], said).toEqual([0, 0])
          expect(passed).toBe(tests)
          expect(tests).toBeGreaterThanOrEqual(CASES_MIN)
        }
      },
      RUNS * 60_000,
    )
  },
)
