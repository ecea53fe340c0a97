// The example of docs/http2.md: its configuration starts, and its commands print what they should.

import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { load } from 'js-yaml'
import { expect, test } from 'vitest'
import { freePorts, routesTo, startGateway } from '../support/gateway.ts'
import { startHttpOrigin } from '../support/origin.ts'

const execute = promisify(execFile)

const page = readFileSync(path.join(import.meta.dirname, '../../docs/http2.md'), 'utf8')
const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? []
const [, commands = ''] = /```sh\n(.*?)```/s.exec(page) ?? []

function isThere(command: string): boolean {
  try {
    execFileSync('which', [command.split(' ')[0]!], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const expected: Record<string, RegExp> = {
  curl: /^an answer2 200\n$/,
  nghttp: /:status: 200/,
  h2load: /1000 succeeded, 0 failed/,
}

test('The example of HTTP/2 serves curl, nghttp and h2load (those that are installed)', async () => {
  const origin = await startHttpOrigin((_, response) => response.end('an answer'))
  const [port = 0, adminPort = 0] = await freePorts(2)
  const { web } = (load(example) as { entryPoints: { web: Record<string, unknown> } }).entryPoints
  const gateway = await startGateway({
    ports: [port, adminPort],
    web: { ...web, address: `127.0.0.1:${port}` },
    routes: routesTo([origin.url]),
  })
  try {
    const lines = commands.trim().split('\n')
    expect(lines.map((line) => line.split(' ')[0])).toEqual(Object.keys(expected))
    for (const line of lines.filter(isThere)) {
      // The origin answers in this process, so the command must not hold it up.
      const shown = (await execute('sh', ['-c', line.replace('8080', String(port))])).stdout
      expect(shown, line).toMatch(expected[line.split(' ')[0]!]!)
    }
  } finally {
    await gateway.stop()
    await origin.stop()
  }
})
