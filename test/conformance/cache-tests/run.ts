// test/conformance/cache-tests/run.ts: runs npm's http-cache-tests against a gateway with httpCache: `make cache-tests`.
//
// The suite is no dependency of ours: it is installed into a folder of its own, outside the tree, and thrown away
// afterwards. Two runs: httpCache as it is, and with the options that the suite calls optimal. Results are kept, with
// what they mean, in docs/internals/cache-tests.md. Ends with 1 when the bars of that page are not reached.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { routesOf } from '../../support/cache-scene.ts'
import { Judge, type Result, type Suite } from './judge.ts'

const VERSION = '0.4.5'
const PASSED_MIN = 140 // of the required ones
const FAILED_MAX = 5

const runs: readonly [name: string, options: Keys][] = [
  ['defaults', {}],
  [
    'heuristicFreshness: true, staleIfError: 60s',
    { heuristicFreshness: true, staleIfError: '60s' },
  ],
]

function install(folder: string): string {
  execFileSync('npm', ['init', '-y'], { cwd: folder, stdio: 'ignore' })
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  execFileSync('npm', ['install', ...flags, `http-cache-tests@${VERSION}`], { cwd: folder })
  return join(folder, 'node_modules', 'http-cache-tests')
}

async function suitesIn(suite: string): Promise<Suite[]> {
  const url = pathToFileURL(join(suite, 'tests', 'index.mjs')).href
  const module = (await import(url)) as { readonly default: Suite[] }
  return module.default // without Surrogate-Control, which the suite leaves out of its own tables too
}

async function startServer(suite: string, folder: string, port: number): Promise<ChildProcess> {
  const server = spawn(process.execPath, ['server/server.mjs'], {
    cwd: suite,
    env: {
      ...process.env,
      npm_config_protocol: 'http',
      npm_config_port: String(port),
      npm_config_pidfile: join(folder, 'server.pid'),
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(server.stdout!, 'data')
  server.stdout!.resume()
  return server
}

// The suite's own client; it prints its results as JSON.
async function resultsOf(suite: string, port: number): Promise<Record<string, Result>> {
  const client = spawn(process.execPath, ['--no-warnings', 'cli.mjs'], {
    cwd: suite,
    env: {
      ...process.env,
      npm_config_base: `http://127.0.0.1:${port}`,
      npm_config_id: '',
      npm_package_config_id: '',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  client.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()))
  await once(client, 'close')
  return JSON.parse(text) as Record<string, Result>
}

function report(name: string, judge: Judge): boolean {
  console.log(`\nhttpCache with ${name}`)
  for (const kind of ['required', 'optimal', 'check']) {
    const counts = judge.counts(kind)
    console.log(
      `  ${kind.padEnd(9)} passed ${counts.passed}, failed ${counts.failed}, ` +
        `not judged ${counts.dependency + counts['set-up'] + counts.untested}`,
    )
    if (kind !== 'check') for (const line of judge.lines(kind)) console.log(`    ${line}`)
  }
  const { passed, failed } = judge.counts('required')
  return passed >= PASSED_MIN && failed <= FAILED_MAX
}

async function runOnce(suite: string, folder: string, options: Keys): Promise<Judge> {
  const [serverPort = 0] = await freePorts(1)
  const server = await startServer(suite, folder, serverPort)
  const gateway = await startGateway({
    workers: 2,
    routes: routesOf({ cache: options }, `http://127.0.0.1:${serverPort}`),
  })
  try {
    return new Judge(await suitesIn(suite), await resultsOf(suite, gateway.port))
  } finally {
    await gateway.stop()
    server.kill()
  }
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-cache-tests-'))
try {
  const suite = install(folder)
  for (const [name, options] of runs) {
    if (!report(name, await runOnce(suite, folder, options))) process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
