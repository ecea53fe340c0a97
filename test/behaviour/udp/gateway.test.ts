// UDP entry points as a user has them: two workers, a routing file, a reload, an upgrade.

import dgram from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Gateway, freePorts, startGateway } from '../../support/gateway.ts'
import { startSupervisor } from '../../support/supervisor.ts'
import { eventually } from '../../support/wait.ts'

const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function socketOf(): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4')
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  ends.push(() => socket.close())
  return socket
}

// Answers with its name and what it got.
async function serverOf(name: string): Promise<number> {
  const socket = await socketOf()
  socket.on('message', (bytes, from) => {
    socket.send(`${name} ${bytes.toString()}`, from.port, from.address)
  })
  return (socket.address() as AddressInfo).port
}

// Sends until it is answered: UDP may lose a datagram, and while the set of sockets changes one that waits in a
// socket that is closed is lost.
async function ask(socket: dgram.Socket, port: number, text: string): Promise<string> {
  const answers: string[] = []
  const listen = (bytes: Buffer): number => answers.push(bytes.toString())
  socket.on('message', listen)
  let sent = 0
  await eventually(`an answer to ${text}`, () => {
    if (!answers.some((answer) => answer.endsWith(text)) && sent++ % 10 === 0)
      socket.send(text, port, '127.0.0.1')
    return answers.some((answer) => answer.endsWith(text))
  })
  socket.off('message', listen)
  return answers.find((answer) => answer.endsWith(text))!
}

function routesTo(name: string, port: number): Record<string, unknown> {
  return {
    udp: {
      routers: { [name]: { entryPoints: ['dns'], service: name } },
      services: { [name]: { loadBalancer: { servers: [{ address: `127.0.0.1:${port}` }] } } },
    },
  }
}

async function gatewayOf(routes: Record<string, unknown>): Promise<[Gateway, number]> {
  const [port = 0] = await freePorts(1)
  const gateway = await startGateway({
    workers: 2,
    entryPoints: {
      dns: {
        address: `127.0.0.1:${port}/udp`,
        udp: { timeout: '30s' }, // no session ends between its answer and the count of them
        transport: { lifeCycle: { graceTimeOut: '500ms' } },
      },
    },
    routes,
  })
  ends.push(() => gateway.stop('SIGKILL'))
  return [gateway, port]
}

test('clients of two workers are answered, counted, and led to another server by a reload', async () => {
  const [one, two] = [await serverOf('one'), await serverOf('two')]
  const [gateway, port] = await gatewayOf(routesTo('first', one))
  const clients = await Promise.all(Array.from({ length: 20 }, () => socketOf()))
  const answers = await Promise.all(clients.map((client, i) => ask(client, port, `a${i}`)))
  expect(answers).toEqual(clients.map((_, i) => `one a${i}`))
  const metrics = (await gateway.admin('/metrics')).body
  expect(metrics).toContain('traefik_open_connections{entrypoint="dns",protocol="UDP"} 20\n')
  expect(metrics).toContain(
    'sluice_udp_sessions_total{entrypoint="dns",router="first@file",service="first@file"} 20\n',
  )
  gateway.writeRoutes(routesTo('second', two))
  await eventually('a new session to meet the new server', async () => {
    const client = await socketOf()
    return (await ask(client, port, 'b')) === 'two b'
  })
})

test('every client goes on being answered when a worker dies and when another takes its place', async () => {
  const [port = 0] = await freePorts(1)
  const transport = { lifeCycle: { graceTimeOut: '300ms' } }
  const dns = { address: `127.0.0.1:${port}/udp`, udp: { timeout: '30s' }, transport }
  const server = await serverOf('one')
  const running = await startSupervisor(2, routesTo('first', server), 'complete', { dns })
  ends.push(() => running.stop())
  const clients = await Promise.all(Array.from({ length: 30 }, () => socketOf()))
  const askAll = (round: string): Promise<string[]> =>
    Promise.all(clients.map((client, i) => ask(client, port, `${round}${i}`)))
  await askAll('before')
  const before = running.worker(0)
  before.end('ended by a test')
  await running.until('the worker to be gone', () => !before.isAlive)
  const meanwhile = await askAll('meanwhile')
  expect(meanwhile).toEqual(clients.map((_, i) => `one meanwhile${i}`))
  await running.until('another one in its place', () => running.worker(0) !== before)
  await running.until('it to listen', () => running.worker(0).listening)
  const after = await askAll('after')
  expect(after).toEqual(clients.map((_, i) => `one after${i}`))
})

test('every client goes on being answered while one process takes over from another', async () => {
  const [before, port] = await gatewayOf(routesTo('first', await serverOf('one')))
  const clients = await Promise.all(Array.from({ length: 20 }, () => socketOf()))
  const askAll = (round: string): Promise<string[]> =>
    Promise.all(clients.map((client, i) => ask(client, port, `${round}${i}`)))
  await askAll('before')
  const after = await startGateway({
    workers: 2,
    entryPoints: { dns: { address: `127.0.0.1:${port}/udp`, udp: { timeout: '1s' } } },
    routes: routesTo('first', await serverOf('next')),
  })
  ends.push(() => after.stop('SIGKILL'))
  await askAll('both')
  await before.stop()
  const answers = await askAll('after')
  expect(answers).toEqual(clients.map((_, i) => `next after${i}`))
})
