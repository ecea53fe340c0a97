// A browser loads a page over HTTP/2, as its own resolver, cache and TLS see it.

import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { freePorts, startGateway } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'

const program = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const run = promisify(execFile)

test.skipIf(program === undefined)(
  'a browser loads a page over HTTP/2 (skipped where there is no chromium)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-browser-'))
    const [port = 0] = await freePorts(1)
    const log = join(folder, 'access.log')
    const gateway = await startGateway({
      entryPoints: { websecure: { address: `127.0.0.1:${port}`, http: { tls: {} } } },
      routes: {
        http: { routers: { all: { rule: 'PathPrefix(`/`)', service: 'whoami@internal' } } },
      },
      static: { accessLog: { filePath: log } },
    })
    try {
      const flags = '--headless --no-sandbox --disable-gpu --ignore-certificate-errors --dump-dom'
      const profile = `--user-data-dir=${join(folder, 'profile')}`
      const url = `https://localhost:${port}/page`
      const { stdout } = await run(program!, [...flags.split(' '), profile, url], {
        timeout: 60_000,
      })
      expect(stdout).toContain('GET /page')
      await eventually('the line of the access log', () =>
        readFileSync(log, 'utf8').includes('"GET /page HTTP/2.0" 200'),
      )
    } finally {
      await gateway.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  },
  90_000,
)
