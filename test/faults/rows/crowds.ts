// Rows 18 and 19: ten thousand clients and more, beside whom others are to be served as if they were not there.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import net from 'node:net'
import { availableParallelism } from 'node:os'
import tls from 'node:tls'
import { TestAuthority } from '../../support/certificates.ts'
import {
  type Gateway,
  type Keys,
  freePorts,
  routesTo,
  startGateway,
} from '../../support/gateway.ts'
import { files } from '../../support/tls-scene.ts'
import { eventually } from '../../support/wait.ts'
import { firstWord } from '../child.ts'
import { type FaultRow, finding } from '../contract.ts'
import { startFarOrigin } from '../far-origin.ts'
import { type Traffic, pause, startTraffic } from '../ledger.ts'
import { residentMiB } from '../memory.ts'

// The four modes of slowhttptest: slow heads, slow bodies, slow reading, ranges.
const modes = ['-H', '-B', '-X', '-R'] as const

// It gets the processor time that nobody else wants: an attacker brings machines of his own.
function slowhttptest(mode: string, port: number, full: boolean): ChildProcess {
  const size = full ? ['-c', '10000', '-l', '20'] : ['-c', '800', '-l', '6']
  const what = [mode, ...size, '-r', '2000', '-i', '2', '-u', `http://127.0.0.1:${port}/`]
  const through = ['--idle', '0', 'prlimit', '--nofile=20000', 'slowhttptest']
  return spawn('chrt', [...through, ...what], { stdio: 'ignore' })
}

async function calmTraffic(port: number, full: boolean): Promise<Traffic> {
  const calm = startTraffic({ port, perSecond: 60 })
  await pause(full ? 15_000 : 2000)
  await calm.stop()
  return calm
}

// At full size the gateway has a core of its own, as in the bench: what clients, attacker and server take of the other one
// is not its doing.
function coresApart(full: boolean): string[] {
  if (!full || availableParallelism() < 2) return []
  execFileSync('taskset', ['-a', '-cp', '1', String(process.pid)])
  return ['taskset', '-c', '0']
}

const slowWriters: FaultRow = {
  number: 18,
  name: 'Thousands of slow connections, four modes of slowhttptest',
  accept: 'good traffic 100 %; at full size its p99 <= 1.2 x that before and after',
  smoke: true,
  missing: () => (spawnSync('slowhttptest', ['-h']).error ? 'slowhttptest is not installed' : ''),
  run: async ({ full }) => {
    const through = coresApart(full)
    const origin = await startFarOrigin()
    const web = { transport: { respondingTimeouts: { headerTimeout: '5s' } } }
    const gateway = await startGateway({ routes: routesTo([origin.url]), web, through })
    const parts: string[] = []
    let ok = true
    await calmTraffic(gateway.port, full) // warm
    let before = await calmTraffic(gateway.port, full)
    for (const mode of modes) {
      const attack = slowhttptest(mode, gateway.port, full)
      const traffic = startTraffic({ port: gateway.port, perSecond: 60 })
      await new Promise((resolve) => attack.once('close', resolve))
      await traffic.stop()
      await pause(full ? 3000 : 0)
      const after = await calmTraffic(gateway.port, full)
      const failed = traffic.failures().length
      const calm = (before.quantile(0.99) + after.quantile(0.99)) / 2
      const ratio = traffic.quantile(0.99) / calm
      parts.push(
        `${mode} ${failed} of ${traffic.ended.length} failed, p99 ${ratio.toFixed(2)} x ${calm.toFixed(1)} ms`,
      )
      ok &&= failed === 0 && (!full || ratio <= 1.2)
      before = after
    }
    await gateway.stop()
    origin.stop()
    return finding(ok, `${full ? 10_000 : 800} connections: ${parts.join('; ')}`)
  },
}

// ---- idle connections of three kinds

type Open = (at: number) => net.Socket

interface Kind {
  readonly name: string
  readonly share: number
  readonly descriptors: number // that the gateway needs for one
  readonly kibMax: number // RSS of each
  readonly open: Open
}

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const UPGRADE =
  'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

// 20,000 ports of each address.
const from = (at: number): string => `127.0.${1 + Math.floor(at / 20_000)}.1`

function saying(text: string, open: Open): Open {
  return (at) => {
    const socket = open(at)
    socket.write(text)
    return socket
  }
}

function kindsOf(clear: number, secure: number): Kind[] {
  const inClear: Open = (at) =>
    net.connect({ port: clear, host: '127.0.0.1', localAddress: from(at) })
  const overTls =
    (ecdhCurve: string): Open =>
    (at) =>
      tls.connect({
        socket: net.connect({ port: secure, host: '127.0.0.1', localAddress: from(at) }),
        servername: 'a.test',
        rejectUnauthorized: false, // what is held is asked here, not by whom
        ecdhCurve,
      })
  return [
    { name: 'plain', share: 0.5, descriptors: 1, kibMax: 8, open: saying(GET, inClear) },
    {
      name: 'TLS (X25519)',
      share: 0.15,
      descriptors: 1,
      kibMax: 40,
      open: saying(GET, overTls('X25519')),
    },
    {
      name: 'TLS (with ML-KEM)',
      share: 0.15,
      descriptors: 1,
      kibMax: 40,
      open: saying(GET, overTls('X25519MLKEM768')),
    },
    { name: 'WebSocket', share: 0.2, descriptors: 2, kibMax: 16, open: saying(UPGRADE, inClear) },
  ]
}

class Crowd {
  private readonly sockets: net.Socket[] = []
  lost = 0
  answered = 0

  get size(): number {
    return this.sockets.length
  }

  async grow(kind: Kind, count: number): Promise<void> {
    const wanted = this.answered + count
    for (let i = 0; i < count; i++) {
      const socket = kind.open(this.sockets.length)
      let isAnswered = false
      socket.on('error', () => undefined)
      socket.on('close', () => this.lost++)
      socket.on('data', () => {
        if (!isAnswered) this.answered++
        isAnswered = true
      })
      this.sockets.push(socket)
      if (i % 100 === 99) await pause(20)
    }
    await eventually('all to be answered', () => this.answered + this.lost >= wanted, 60_000)
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy()
  }
}

// The p99 of so many, in milliseconds.
async function newConnections(port: number, count: number): Promise<number> {
  const { message } = await firstWord<{ p99: number }>('connect-process.ts', port, count)
  return message.p99
}

// What a process may have here, less what the gateway keeps free.
function roomFor(wanted: number): number {
  spawnSync('prlimit', [`--pid=${process.pid}`, '--nofile=120000'])
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -n']).toString())
  return Math.min(wanted, Math.floor((limit - limit / 8) * 0.97))
}

async function startHolder(url: string): Promise<[Gateway, Kind[]]> {
  const [secure = 0] = await freePorts(1)
  const { certFile, keyFile } = files(new TestAuthority().issue('a.test'))
  const transport = {
    limits: { connectionsMax: 60_000 },
    respondingTimeouts: { idleTimeout: '20m' },
  }
  const { http } = routesTo([url], { maxConnections: 20_000 })
  const routers = { all: { rule: 'PathPrefix(`/`)', service: 'origin' } }
  const gateway = await startGateway({
    routes: {
      http: { ...(http as Keys), routers },
      tls: { certificates: [{ certFile, keyFile }] },
    },
    web: { transport },
    entryPoints: { secure: { address: `127.0.0.1:${secure}`, http: { tls: {} }, transport } },
  })
  return [gateway, kindsOf(gateway.port, secure)]
}

const idle: FaultRow = {
  number: 19,
  name: 'Idle connections',
  accept:
    'all held for ten minutes; at the most 8 KiB each, 40 with TLS; p99 of new ones <= 1.2 x at full size',
  smoke: false,
  run: async ({ full }) => {
    const origin = await startFarOrigin()
    const wanted = full ? 50_000 : 5000
    const [gateway, kinds] = await startHolder(origin.url)
    const needed = kinds.reduce((sum, { share, descriptors }) => sum + share * descriptors, 0)
    const count = roomFor(wanted * needed) / needed
    const crowd = new Crowd()
    await newConnections(gateway.port, 500) // warm
    const before = await newConnections(gateway.port, 1000)
    const parts: string[] = []
    let ok = true
    for (const kind of kinds) {
      const empty = residentMiB(gateway.child.pid!)
      const some = Math.floor(count * kind.share)
      await crowd.grow(kind, some)
      await pause(8000) // until buffers of the handshake are given back
      const each = ((residentMiB(gateway.child.pid!) - empty) * 1024) / some
      parts.push(`${some} ${kind.name} of ${each.toFixed(1)} KiB`)
      ok &&= each <= kind.kibMax
    }
    await pause(full ? 600_000 : 5000)
    const during = await newConnections(gateway.port, 1000)
    const ratio = during / before
    ok &&= crowd.lost === 0 && (!full || ratio <= 1.2)
    parts.push(`${crowd.lost} lost; p99 of a new one ${ratio.toFixed(2)} x ${before.toFixed(1)} ms`)
    crowd.end()
    await gateway.stop()
    origin.stop()
    return finding(
      ok,
      `${crowd.size} of ${wanted}${count < wanted ? ' (as the descriptors of this machine allow)' : ''}: ${parts.join('; ')}`,
    )
  },
}

export const crowdRows: readonly FaultRow[] = [slowWriters, idle]
