// test/support/redis.ts: Redis servers of a test's own, on free ports, without files that outlive it: one, a cluster of
// three, or a master with a replica and sentinels.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createClient } from '@redis/client'
import type { StorePlan } from '../../core/rate/store.ts'
import { freePorts } from './gateway.ts'
import { eventually } from './wait.ts'

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0
export const hasSentinel = spawnSync('redis-sentinel', ['--version']).status === 0
export const withoutRedis = 'redis-server is not installed'
export const withoutSentinel = 'redis-sentinel is not installed'

export interface RedisServer {
  readonly port: number
  readonly child: ChildProcess
  command(...words: string[]): Promise<unknown>
  stop(): Promise<void>
}

export interface RedisOptions {
  readonly port?: number
  readonly password?: string
  readonly more?: readonly string[]
  readonly sentinel?: string // its configuration
  readonly tls?: { ca: string; cert: string; key: string } // files
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePorts(1))[0]!
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-redis-'))
  const words = ['--bind', '127.0.0.1', '--dir', folder]
  if (options.sentinel === undefined) words.push('--save', '', '--appendonly', 'no')
  const { password = '', tls, more = [] } = options
  if (password !== '') words.push('--requirepass', password, '--masterauth', password)
  if (tls === undefined) words.push('--port', String(port))
  else words.push('--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no')
  if (tls !== undefined)
    words.push('--tls-ca-cert-file', tls.ca, '--tls-cert-file', tls.cert, '--tls-key-file', tls.key)
  const child = launch(folder, port, words, more, options.sentinel)
  const socket =
    tls === undefined ? { port } : { port, tls: true as const, rejectUnauthorized: false }
  const command = (...parts: string[]) => runOnce(socket, password, parts)
  const server = { port, child, command, stop: () => stop(child, folder) }
  await eventually(
    'redis to answer',
    async () => (await command('PING').catch(() => '')) === 'PONG',
  )
  return server
}

function launch(
  folder: string,
  port: number,
  words: readonly string[],
  more: readonly string[],
  sentinel: string | undefined,
): ChildProcess {
  if (sentinel === undefined) return spawn('redis-server', [...words, ...more], { stdio: 'ignore' })
  const file = path.join(folder, 'sentinel.conf')
  writeFileSync(file, `port ${port}\n${sentinel}\n`)
  return spawn('redis-sentinel', [file, ...words.filter((_, i) => i < 4)], { stdio: 'ignore' })
}

async function runOnce(
  socket: { port: number },
  password: string,
  words: readonly string[],
): Promise<unknown> {
  const client = createClient({
    socket: { host: '127.0.0.1', reconnectStrategy: false, connectTimeout: 10_000, ...socket },
    ...(password === '' ? {} : { password }),
    RESP: 2,
  } as never)
  client.on('error', () => {})
  try {
    await client.connect()
    return await client.sendCommand(words as string[])
  } finally {
    client.destroy()
  }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
}

export interface RedisGroup {
  readonly servers: readonly RedisServer[]
  stop(): Promise<void>
}

const stopAll = async (servers: readonly RedisServer[]): Promise<void> => {
  await Promise.all(servers.map((server) => server.stop()))
}

// Three masters, all slots given out. A node's bus is at its port + 10,000.
export async function startCluster(): Promise<RedisGroup> {
  const ports = await freePorts(3)
  const more = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '5000',
    '--cluster-require-full-coverage',
    'no',
  ]
  const servers = await Promise.all(ports.map((port) => startRedis({ port, more })))
  const last = 16_384
  for (const [i, server] of servers.entries()) {
    const from = Math.floor((last * i) / 3)
    const to = Math.floor((last * (i + 1)) / 3) - 1
    await server.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
    await servers[0]!.command('CLUSTER', 'MEET', '127.0.0.1', String(server.port))
  }
  await eventually('the cluster to be whole', async () => {
    const states = await Promise.all(servers.map((server) => server.command('CLUSTER', 'INFO')))
    return states.every(
      (state) =>
        String(state).includes('cluster_state:ok') &&
        String(state).includes('cluster_known_nodes:3'),
    )
  })
  return { servers, stop: () => stopAll(servers) }
}

export interface SentinelGroup extends RedisGroup {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinelPorts: readonly number[]
}

// A master, a replica and three sentinels that fail over after three seconds: a machine that stands still for one is no
// reason to.
export async function startSentinels(password: string): Promise<SentinelGroup> {
  const master = await startRedis({ password })
  const replica = await startRedis({
    password,
    more: ['--replicaof', '127.0.0.1', String(master.port)],
  })
  const sentinel = [
    `sentinel monitor shop 127.0.0.1 ${master.port} 2`,
    `sentinel auth-pass shop ${password}`,
    'sentinel down-after-milliseconds shop 3000',
    'sentinel failover-timeout shop 2000',
  ].join('\n')
  const sentinels = await Promise.all([1, 2, 3].map(() => startRedis({ sentinel })))
  await eventually('the sentinels to know each other and the replica', async () => {
    const words = ['SENTINEL', 'MASTER', 'shop']
    const states = await Promise.all(sentinels.map((one) => one.command(...words)))
    return states.every((state) => {
      const text = (state as string[]).join(' ')
      return /num-other-sentinels 2/.test(text) && /num-slaves 1/.test(text)
    })
  })
  const servers = [master, replica, ...sentinels]
  return {
    master,
    replica,
    servers,
    sentinelPorts: sentinels.map(({ port }) => port),
    stop: () => stopAll(servers),
  }
}

// How a store is reached that has no password and no TLS, unless said otherwise.
export const storePlanOf = (
  ports: readonly number[],
  over: Partial<StorePlan> = {},
): StorePlan => ({
  kind: 'single',
  nodes: ports.map((port) => ({ host: '127.0.0.1', port })),
  username: '',
  password: '',
  database: 0,
  masterSet: '',
  sentinelUsername: '',
  sentinelPassword: '',
  tls: null,
  dialTimeoutMs: 5000,
  timeoutMs: 5000,
  ...over,
})
