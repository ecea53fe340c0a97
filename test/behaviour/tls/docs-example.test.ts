// test/behaviour/tls/docs-example.test.ts: what docs/tls.md says under "Try it" works as it stands there.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePorts } from '../../support/gateway.ts'
import { run } from '../../support/tls-scene.ts'

const repository = join(import.meta.dirname, '../../..')
const page = readFileSync(join(repository, 'docs/tls.md'), 'utf8')
const section = page.slice(page.indexOf('## Try it'), page.indexOf('## What a port understands'))

const block = (start: string): string =>
  new RegExp('```\\w+\\n(' + start + '[^]*?)```').exec(section)![1]!

test('the example of the page serves HTTPS', async () => {
  const server = http.createServer((request, response) =>
    response.end(String(request.headers['x-forwarded-proto'])),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const [secure = 0] = await freePorts(1)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'))
  const here = (text: string): string =>
    text.replaceAll('8443', String(secure)).replaceAll('127.0.0.1:9000', `127.0.0.1:${port}`)
  writeFileSync(join(folder, 'sluice.yml'), here(block('# sluice.yml')))
  writeFileSync(join(folder, 'routes.yml'), here(block('# routes.yml')))
  const [make, ask] = here(block('openssl')).split(/\n(?=curl)/)
  expect((await run('sh', ['-c', `cd ${folder} && ${make}`])).code).toBe(0)
  const child = spawn(join(repository, 'bin/sluice'), ['--configFile=sluice.yml'], { cwd: folder })
  try {
    const command = `cd ${folder} && ${ask!.trim()} -sS`
    await expect
      .poll(async () => (await run('sh', ['-c', command])).stdout, { timeout: 15_000 })
      .toBe('https')
  } finally {
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGTERM')
    await ended
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
}, 40_000)
