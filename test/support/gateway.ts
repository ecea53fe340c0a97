// test/support/gateway.ts: a real gateway as a user starts it: bin/sluice --configFile=FILE, on free ports, in
// a folder of its own. Configuration is given as objects and written as JSON, which is YAML too.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Wait, eventually } from './wait.ts'

const repository = path.join(import.meta.dirname, '..', '..')
const START_WITHIN_MS = 40_000 // half a second of two cores that nobody else wants
const STOP_WITHIN_MS = 15_000

export type Keys = Readonly<Record<string, unknown>>

export interface GatewayOptions {
  readonly engine?: 'node' | 'uws' // of entry point "web"
  readonly workers?: number // 1 unless given
  readonly web?: Keys // further keys of entry point "web"
  readonly entryPoints?: Keys // further entry points
  readonly static?: Keys // further top-level keys of the static file
  readonly routes?: Keys // the routing file; {} unless given
  readonly env?: Readonly<Record<string, string>>
  readonly flags?: readonly string[]
  readonly waitReady?: boolean // true unless given
  readonly through?: readonly string[] // a command that starts it: ['unshare', '-m', ...]
  readonly ports?: readonly [port: number, adminPort: number] // free ones unless given
}

export interface Gateway {
  readonly port: number // entry point "web"
  readonly adminPort: number // entry point "traefik": api, ping, metrics
  readonly child: ChildProcess
  readonly folder: string
  readonly exit: { code: number | null; signal: string | null } | null // null while it runs
  stderr(): string
  stdout(): string
  writeRoutes(routes: Keys): void // replaced by a rename, as every careful writer does
  admin(path: string): Promise<{ status: number; body: string }>
  untilStderr(text: string): Promise<void>
  untilExit(): Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
}

export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  for (let attempt = 1; ; attempt++) {
    const gateway = await start(options)
    if (gateway !== null) return gateway
    if (attempt === 3 || options.ports !== undefined) throw new Error('no port is free for long')
  }
}

// Null when somebody else has taken one of the ports that were free: a connection of another test, say.
async function start(options: GatewayOptions): Promise<Gateway | null> {
  const [port = 0, adminPort = 0] = options.ports ?? (await freePorts(2))
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-test-'))
  const routesFile = path.join(folder, 'routes.yml')
  writeFileSync(routesFile, JSON.stringify(options.routes ?? {}))
  const staticFile = path.join(folder, 'sluice.yml')
  writeFileSync(staticFile, JSON.stringify(staticKeys(options, port, adminPort, routesFile)))
  const gateway = launch(options, staticFile, { port, adminPort, folder, routesFile })
  if (options.waitReady === false) return gateway
  try {
    await eventually('the gateway to be ready', () => isReady(gateway), START_WITHIN_MS)
    return gateway
  } catch (error) {
    void gateway.stop('SIGKILL')
    if (gateway.stderr().includes('EADDRINUSE')) return null
    throw new Error(`${String(error)}\n${gateway.stderr()}`, { cause: error })
  }
}

function staticKeys(
  options: GatewayOptions,
  port: number,
  adminPort: number,
  routesFile: string,
): Keys {
  return {
    workers: options.workers ?? 1,
    entryPoints: {
      web: { address: `127.0.0.1:${port}`, engine: options.engine ?? 'node', ...options.web },
      traefik: { address: `127.0.0.1:${adminPort}` },
      ...options.entryPoints,
    },
    api: { insecure: true },
    ping: {},
    metrics: { prometheus: {} },
    log: { level: 'INFO' },
    providers: {
      providersThrottleDuration: '0s',
      file: { filename: routesFile, watch: true },
    },
    ...options.static,
  }
}

interface Place {
  readonly port: number
  readonly adminPort: number
  readonly folder: string
  readonly routesFile: string
}

function launch(options: GatewayOptions, staticFile: string, place: Place): Gateway {
  const flags = [`--configFile=${staticFile}`, ...(options.flags ?? [])]
  const [program = '', ...words] = [
    ...(options.through ?? []),
    path.join(repository, 'bin', 'sluice'),
    ...flags,
  ]
  const child = spawn(program, words, {
    cwd: place.folder,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const wait = new Wait()
  const state = { stderr: '', stdout: '', exit: null as Gateway['exit'] }
  child.stderr.on('data', (bytes: Buffer) => {
    state.stderr += bytes.toString()
    wait.look()
  })
  child.stdout.on('data', (bytes: Buffer) => {
    state.stdout += bytes.toString()
    wait.look()
  })
  child.once('close', (code, signal) => {
    state.exit = { code, signal }
    rmSync(place.folder, { recursive: true, force: true })
    wait.look()
  })
  const untilExit = () =>
    wait.until(
      () => state.exit !== null,
      () => `the gateway to exit; it said: ${state.stderr}`,
      STOP_WITHIN_MS,
    )
  return {
    port: place.port,
    adminPort: place.adminPort,
    folder: place.folder,
    child,
    get exit() {
      return state.exit
    },
    stderr: () => state.stderr,
    stdout: () => state.stdout,
    writeRoutes: (routes) => {
      writeFileSync(`${place.routesFile}.next`, JSON.stringify(routes))
      renameSync(`${place.routesFile}.next`, place.routesFile)
    },
    admin: (target) => get(place.adminPort, target),
    untilStderr: (text) =>
      wait.until(
        () => state.stderr.includes(text),
        () => `${JSON.stringify(text)} on stderr; it said: ${state.stderr}`,
      ),
    untilExit,
    stop: async (signal = 'SIGTERM') => {
      if (state.exit === null) child.kill(signal)
      await untilExit().catch(async () => {
        child.kill('SIGKILL')
        await untilExit()
        throw new Error(`the gateway did not stop within ${STOP_WITHIN_MS} ms`)
      })
    },
  }
}

async function isReady(gateway: Gateway): Promise<boolean> {
  if (gateway.exit !== null) throw new Error(`the gateway ended: ${JSON.stringify(gateway.exit)}`)
  const answer = await gateway.admin('/ready').catch(() => null)
  return answer !== null && answer.status === 200
}

function get(port: number, target: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { port, host: '127.0.0.1', path: target, agent: false },
      (response) => {
        let body = ''
        response.on('data', (bytes: Buffer) => (body += bytes.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
        response.on('error', reject)
      },
    )
    request.on('error', reject)
  })
}

// Below the ports that the kernel gives to connections and to whoever listens on port 0 (32768 and up on Linux): what is
// free here is still free when its test listens there, and where nobody is to listen nobody does. Processes that run tests
// side by side have even and odd ones.
const PORTS_FROM = 10_000
const PORTS = 10_000 // and as many above them for nodes of a Redis cluster, each of which takes its port + 10,000 too
const forks = 2
let lastPort =
  randomInt(PORTS / forks) * forks + (Number(process.env['VITEST_POOL_ID'] ?? 0) % forks)

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let tried = 0; ports.length < count; tried++) {
    if (tried > PORTS) throw new Error('no port is free')
    lastPort = (lastPort + forks) % PORTS
    const port = PORTS_FROM + lastPort // another call may go on meanwhile
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  const server = net.createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

// Routes that send everything to the given servers, by a service with short connection timeouts.
export function routesTo(urls: readonly string[], transport: Keys = {}): Keys {
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'origin' } },
      services: {
        origin: {
          loadBalancer: { serversTransport: 'origin', servers: urls.map((url) => ({ url })) },
        },
      },
      serversTransports: { origin: { forwardingTimeouts: { dialTimeout: '2s' }, ...transport } },
    },
  }
}
