// test/certificates/redis.ts: a Redis of the test's own: on a free port, without files.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { RedisClient } from '../../certificates/storage/redis-client.ts'
import { eventually } from '../support/wait.ts'
import { freePorts } from './pebble.ts'

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0
export const withoutRedis = 'redis-server is not installed'

export interface Redis {
  readonly port: number
  readonly child: ChildProcess
  stop(): void
}

export async function startRedis(...more: string[]): Promise<Redis> {
  const [port = 0] = await freePorts(1)
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', [...words, ...more], { stdio: 'ignore' })
  const address = { host: '127.0.0.1', port, tls: false, username: '', password: '', database: 0 }
  await eventually('redis to answer', async () => {
    const client = new RedisClient(address)
    const reply = await client.command('PING').catch((fault: unknown) => String(fault))
    await client.close()
    return reply === 'PONG' || String(reply).includes('NOAUTH')
  })
  return { port, child, stop: () => void child.kill('SIGKILL') }
}
