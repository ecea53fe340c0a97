// test/conformance/traefik/traefik.ts: a real Traefik as a user starts it, on free ports, in a folder of its own.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Keys, freePorts } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

export const binary = process.env['TRAEFIK'] ?? ''
export const isHere = binary !== '' && existsSync(binary)

export interface Traefik {
  readonly port: number // entry point "web"
  readonly trustedPort: number // entry point "trusted"
  readonly securePort: number // entry point "secure"
  readonly child: ChildProcess
  output(): string
  stop(): Promise<void>
}

// `ready` is a host that a router of `routes` serves: routes are there some time after the ports are.
export async function startTraefik(routes: Keys, ready: string): Promise<Traefik> {
  for (let attempt = 1; ; attempt++) {
    const traefik = await start(routes, ready)
    if (traefik !== null) return traefik
    if (attempt === 3) throw new Error('no port is free for long')
  }
}

// Null when somebody else has taken one of the ports that were free.
async function start(routes: Keys, ready: string): Promise<Traefik | null> {
  const [port = 0, trustedPort = 0, securePort = 0] = await freePorts(3)
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-beside-'))
  const routesFile = path.join(folder, 'routes.yml')
  writeFileSync(routesFile, JSON.stringify(routes))
  const staticFile = path.join(folder, 'traefik.yml')
  const ports = { port, trustedPort, securePort }
  writeFileSync(staticFile, JSON.stringify(staticKeys(ports, routesFile)))
  const traefik = launch(staticFile, folder, ports)
  try {
    await eventually('Traefik to serve', () => serves(traefik, ready), 30_000)
    return traefik
  } catch (error) {
    await traefik.stop()
    if (traefik.output().includes('address already in use')) return null
    throw new Error(`${String(error)}\n${traefik.output()}`, { cause: error })
  }
}

type Ports = Pick<Traefik, 'port' | 'trustedPort' | 'securePort'>

function staticKeys(ports: Ports, routesFile: string): Keys {
  return {
    global: { checkNewVersion: false, sendAnonymousUsage: false },
    entryPoints: {
      web: { address: `127.0.0.1:${ports.port}` },
      ...furtherEntryPoints(ports.trustedPort, ports.securePort),
    },
    providers: { providersThrottleDuration: '0s', file: { filename: routesFile, watch: false } },
    log: { level: 'WARN' },
  }
}

export function furtherEntryPoints(trustedPort: number, securePort: number): Keys {
  return {
    trusted: {
      address: `127.0.0.1:${trustedPort}`,
      forwardedHeaders: { trustedIPs: ['127.0.0.0/8'] },
    },
    secure: { address: `127.0.0.1:${securePort}` },
  }
}

function launch(staticFile: string, folder: string, ports: Ports): Traefik {
  const child = spawn(binary, [`--configFile=${staticFile}`], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    ...ports,
    child,
    output: () => output,
    stop: async () => {
      child.kill('SIGKILL') // it has nothing to finish
      await closed
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function serves(traefik: Traefik, host: string): Promise<boolean> {
  if (traefik.child.exitCode !== null) throw new Error('Traefik ended')
  const client = await connectRaw(traefik.port).catch(() => null)
  if (client === null) return false
  client.send(requestText('GET', '/').replace('a.test', host))
  const { status } = await client.readResponse()
  client.destroy()
  return status === 200
}
