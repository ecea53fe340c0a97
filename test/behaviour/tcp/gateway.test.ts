// TCP routers as a user has them: a routing file, one port, and whatever arrives.

import { spawn } from 'node:child_process'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { TestAuthority, type Issued } from '../../support/certificates.ts'
import {
  type Gateway,
  type GatewayOptions,
  freePorts,
  startGateway,
} from '../../support/gateway.ts'
import { startHttpOrigin } from '../../support/origin.ts'
import { RawClient, connectRaw } from '../../support/raw-client.ts'
import { echo, startTcpServer, type TcpServer } from '../../support/tcp-server.ts'
import { eventually } from '../../support/wait.ts'

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

let authority: TestAuthority
let a: Issued
let b: Issued
const ends: (() => unknown)[] = []

beforeAll(() => {
  authority = new TestAuthority()
  a = authority.issue('a.example')
  b = authority.issue('b.example')
})
afterAll(() => authority.remove())
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function gatewayOf(options: GatewayOptions): Promise<Gateway> {
  const gateway = await startGateway(options)
  ends.push(() => gateway.stop('SIGKILL'))
  return gateway
}

async function serverOf(answer?: (socket: net.Socket) => void): Promise<TcpServer> {
  const server = await startTcpServer(answer)
  ends.push(() => server.close())
  return server
}

async function clientOf(gateway: Gateway): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  ends.push(() => client.destroy())
  return client
}

function to(ports: readonly number[], more: object = {}): object {
  const servers = ports.map((p) => ({ address: `127.0.0.1:${p}` }))
  // The servers are this process, which may stand still between the end of a client and the answer.
  return { loadBalancer: { servers, terminationDelay: 5000, ...more } }
}

// A TLS server that says its name.
async function tlsServerOf(name: string, leaf: Issued): Promise<number> {
  const server = tls.createServer({ cert: leaf.certPem, key: leaf.keyPem }, (socket) => {
    socket.on('error', () => {})
    socket.write(`${name}\n`)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => server.close())
  return (server.address() as AddressInfo).port
}

// openssl s_client; gives what it prints once `wanted` is there.
function openssl(port: number, name: string, wanted: string): Promise<string> {
  const flags = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, '-quiet']
  const child = spawn('openssl', [...flags, '-no_ign_eof'], { stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  return new Promise((resolve, reject) => {
    const look = (bytes: Buffer): void => {
      output += bytes.toString()
      if (!output.includes(wanted)) return
      resolve(output)
      child.kill()
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.on('close', () => reject(new Error(`openssl ended: ${output}`)))
  })
}

test('one port: HTTP, TLS passed through by name, and TLS terminated', async () => {
  const origin = await startHttpOrigin((_request, response) => response.end('http'))
  ends.push(() => origin.stop())
  const passed = await tlsServerOf('passed', b)
  const inside = await serverOf((socket) => {
    socket.write('terminated\n')
    echo(socket)
  })
  const gateway = await gatewayOf({
    workers: 2,
    routes: {
      http: {
        routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'origin' } },
        services: {
          origin: { loadBalancer: { servers: [{ url: origin.url }] } },
        },
      },
      tcp: {
        routers: {
          passed: {
            rule: 'HostSNI(`b.example`)',
            entryPoints: ['web'],
            service: 'passed',
            tls: { passthrough: true },
          },
          inside: {
            rule: 'HostSNI(`a.example`)',
            entryPoints: ['web'],
            service: 'inside',
            tls: {},
          },
        },
        services: { passed: to([passed]), inside: to([inside.port]) },
      },
      tls: { certificates: [{ certFile: a.certFile, keyFile: a.keyFile }] },
    },
  })
  expect(await openssl(gateway.port, 'B.example', 'passed\n')).toContain('CN = b.example')
  expect(await openssl(gateway.port, 'a.example', 'terminated\n')).toContain('CN = a.example')
  const client = await clientOf(gateway)
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  expect((await client.readResponse()).status).toBe(200)
  const metrics = (await gateway.admin('/metrics')).body
  expect(metrics).toMatch(
    /sluice_tcp_connections_total\{entrypoint="web",router="inside@file",service="inside@file"\} 1\n/,
  )
  expect(metrics).toContain('router="passed@file"')
})

test('plain TCP beside TLS: what a client says before it half-closes reaches its server, and the answer the client', async () => {
  const server = await serverOf(echo)
  const passed = await tlsServerOf('passed', b)
  const gateway = await gatewayOf({
    routes: {
      tcp: {
        routers: {
          passed: {
            rule: 'HostSNI(`b.example`)',
            entryPoints: ['web'],
            service: 'passed',
            tls: { passthrough: true },
          },
          plain: { rule: 'HostSNI(`*`)', entryPoints: ['web'], service: 'plain' },
        },
        services: { passed: to([passed]), plain: to([server.port]) },
      },
    },
  })
  for (const text of ['x', 'EHLO a\r\n', 'P', '\x16', 'a longer text '.repeat(1000)]) {
    const client = await clientOf(gateway)
    client.send(text).end()
    await client.untilEnded()
    expect([text, client.received]).toEqual([text, text])
  }
})

test('a Postgres client starts TLS with its request, whether it is terminated or passed through', async () => {
  const inside = await serverOf((socket) => socket.once('data', () => socket.write('in clear')))
  const asked: Buffer[] = []
  const passed = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      asked.push(bytes)
      socket.write('S')
      const secured = new tls.TLSSocket(socket, { isServer: true, cert: b.certPem, key: b.keyPem })
      secured.on('error', () => {})
      secured.write('in TLS')
    })
  })
  await new Promise<void>((resolve) => passed.listen(0, '127.0.0.1', resolve))
  ends.push(() => passed.close())
  const gateway = await gatewayOf({
    routes: {
      tcp: {
        routers: {
          inside: {
            rule: 'HostSNI(`a.example`)',
            entryPoints: ['web'],
            service: 'inside',
            tls: {},
          },
          passed: {
            rule: 'HostSNI(`b.example`)',
            entryPoints: ['web'],
            service: 'passed',
            tls: { passthrough: true },
          },
        },
        services: {
          inside: to([inside.port]),
          passed: to([(passed.address() as AddressInfo).port]),
        },
      },
      tls: { certificates: [{ certFile: a.certFile, keyFile: a.keyFile }] },
    },
  })
  for (const [name, wanted] of [
    ['a.example', 'in clear'],
    ['b.example', 'in TLS'],
  ] as const) {
    const plain = await clientOf(gateway)
    plain.send(SSL_REQUEST)
    await plain.untilText('S')
    plain.socket.removeAllListeners('data')
    const secured = tls.connect({
      socket: plain.socket,
      servername: name,
      ca: authority.root.certPem,
    })
    const client = new RawClient(secured)
    client.send('startup')
    await client.untilText(wanted)
  }
  expect(asked).toEqual([SSL_REQUEST])
})

test('an address in a PROXY header is matched, limited and passed on', async () => {
  const server = await serverOf()
  const gateway = await gatewayOf({
    web: { proxyProtocol: { trustedIPs: ['127.0.0.1/32'] } },
    routes: {
      tcp: {
        routers: {
          near: {
            rule: 'ClientIP(`192.0.2.0/24`)',
            entryPoints: ['web'],
            service: 'near',
            middlewares: ['few'],
          },
        },
        middlewares: { few: { inFlightConn: { amount: 1 } } },
        services: { near: to([server.port], { proxyProtocol: { version: 1 } }) },
      },
    },
  })
  const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 5432\r\n'
  const one = await clientOf(gateway)
  one.send(header + 'hello')
  const behind = await server.next()
  await behind.untilText(header + 'hello')
  const two = await clientOf(gateway)
  two.send(header + 'hello')
  await two.untilEnded()
  const other = await clientOf(gateway)
  other.send(header.replace('.7 ', '.8 ') + 'hi')
  await (await server.next()).untilText('hi')
  const bad = await clientOf(gateway)
  bad.send('PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n')
  await bad.untilEnded()
  expect(server.accepted).toHaveLength(2)
})

test('a server that speaks first and a client that half-closes are relayed, and DEBUG tells their story', async () => {
  const server = await serverOf((socket) => {
    socket.write('220 ready\r\n')
    echo(socket)
  })
  const gateway = await gatewayOf({
    static: { log: { level: 'DEBUG' } },
    routes: {
      tcp: {
        routers: { all: { rule: 'HostSNI(`*`)', entryPoints: ['web'], service: 'all' } },
        services: { all: to([server.port]) },
      },
    },
  })
  const client = await clientOf(gateway)
  await client.untilText('220 ready\r\n')
  client.send('bye').end()
  await client.untilEnded()
  expect(client.received).toBe('220 ready\r\nbye')
  await gateway.untilStderr(`to 127.0.0.1:${server.port}, 3 bytes there, 14 back`)
  expect(gateway.stderr()).toMatch(/tcp all@file on web: 127\.0\.0\.1:\d+ to .* s: both ended\n/)
})

test('a server that fails its check gets nothing until it is well, and the API and metrics say so', async () => {
  const [port = 0] = await freePorts(1)
  const live = await serverOf((socket) => socket.end('live'))
  const gateway = await gatewayOf({
    workers: 2,
    routes: {
      tcp: {
        routers: { all: { rule: 'HostSNI(`*`)', entryPoints: ['web'], service: 'all' } },
        services: {
          all: to([port, live.port], {
            healthCheck: { interval: '100ms', timeout: '500ms', expect: '' },
          }),
        },
      },
    },
  })
  await gateway.untilStderr(`127.0.0.1:${port} of all@file is down`)
  const down = `traefik_service_server_up{service="all@file",url="127.0.0.1:${port}"} 0\n`
  expect((await gateway.admin('/metrics')).body).toContain(down)
  const shown = JSON.parse((await gateway.admin('/api/tcp/services/all@file')).body)
  expect(shown.serverStatus).toEqual({
    [`127.0.0.1:${port}`]: 'DOWN',
    [`127.0.0.1:${live.port}`]: 'UP',
  })
  const back = net.createServer((socket) => socket.on('error', () => {}).end('back'))
  await new Promise<void>((resolve) => back.listen(port, '127.0.0.1', resolve))
  ends.push(() => back.close())
  await gateway.untilStderr(`127.0.0.1:${port} of all@file is up again`)
  const answers = new Set<string>()
  await eventually('both servers to answer', async () => {
    const client = await clientOf(gateway)
    await client.untilEnded()
    answers.add(client.received)
    return answers.size === 2
  })
  expect(answers).toEqual(new Set(['live', 'back']))
})

test('connections outlive reloads and end by the grace time of a shutdown', async () => {
  const server = await serverOf(echo)
  const routes = (name: string): Record<string, unknown> => ({
    tcp: {
      routers: { [name]: { rule: 'HostSNI(`*`)', entryPoints: ['web'], service: name } },
      services: { [name]: to([server.port]) },
    },
  })
  const gateway = await gatewayOf({
    web: { transport: { lifeCycle: { graceTimeOut: '1s' } } },
    routes: routes('one'),
  })
  const client = await clientOf(gateway)
  client.send('one')
  await client.untilText('one')
  gateway.writeRoutes(routes('two'))
  await eventually('the new router to serve', async () => {
    const next = await clientOf(gateway)
    next.send('x')
    await next.untilText('x')
    next.destroy()
    return (await gateway.admin('/metrics')).body.includes('router="two@file"')
  })
  client.send('two')
  await client.untilText('onetwo')
  const from = performance.now()
  gateway.child.kill('SIGTERM')
  await client.until('the end', () => client.ended || client.closed)
  expect(performance.now() - from).toBeGreaterThan(900)
  await gateway.untilExit()
})
