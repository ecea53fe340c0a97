// test/conformance/traefik/pair.ts: a Traefik and a Sluice that have read the same routing file, and what is asked of both.
//
// Each case has the host NAME.test. One gateway is asked at a time, so what the servers got meanwhile came from that one.

import net from 'node:net'
import tls from 'node:tls'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { RawClient, type Response } from '../../support/raw-client.ts'
import { type Reply, Origins, type Served, plain } from './origins.ts'
import { type Traefik, furtherEntryPoints, startTraefik } from './traefik.ts'

export type Side = 'traefik' | 'sluice'
export const sides: readonly Side[] = ['traefik', 'sluice']
export type Urls = (origin: string) => string

export interface Ask {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[] // lines; one of Host takes the place of the host of the case
  readonly body: string // has a Content-Length unless one of the headers frames it
  readonly entry: 'web' | 'trusted' | 'secure' // "secure": over TLS, with a certificate of the client
  readonly from: string // the address of the client
  readonly reply: Reply | null // of the servers, for this request
  readonly isBare: boolean // without the User-Agent and Accept-Encoding that clients send
  readonly pauseMs: number // before it is sent; only where time is what a case is about
}

export interface Case {
  readonly name: string
  readonly middlewares?: Keys // all of them in their order
  readonly order?: readonly string[] // unless the router names these
  readonly rule?: string // Host(`NAME.test`) unless given
  readonly isSecure?: boolean // served over TLS alone
  readonly routers?: Keys // in place of that one router
  readonly services?: Keys // further ones; the router's is "a" unless one has the name of the case
  readonly reply?: Reply
  readonly asks: readonly Ask[]
}

export interface Seen {
  readonly interim: readonly number[] // statuses of 1xx before the answer
  readonly answer: Response | null // null: the connection ended without one
  readonly served: readonly Served[]
}

export interface Pair {
  readonly origins: Origins
  readonly traefik: Traefik
  readonly gateway: Gateway
  play(side: Side, one: Case): Promise<Seen[]>
  connect(side: Side, entry?: Ask['entry'], from?: string): Promise<RawClient>
  stop(): Promise<void>
}

export async function startPair(casesOf: (urls: Urls) => readonly Case[]): Promise<Pair> {
  const origins = await Origins.start()
  const authority = new TestAuthority()
  const client = authority.issue('/C=DE/O=Test Org/CN=client.test', { names: ['client.test'] })
  const routes = { ...routesOf(casesOf(origins.url), origins.url), tls: tlsOf(authority) }
  const traefik = await startTraefik(routes, 'ready.test')
  const { gateway, trustedPort, securePort } = await startSluice(routes).catch(async (error) => {
    await traefik.stop()
    throw error
  })
  const ports = {
    traefik: { web: traefik.port, trusted: traefik.trustedPort, secure: traefik.securePort },
    sluice: { web: gateway.port, trusted: trustedPort, secure: securePort },
  }
  const connect: Pair['connect'] = (side, entry = 'web', from = '127.0.0.1') =>
    entry === 'secure'
      ? connectSecure(ports[side].secure, client)
      : connectFrom(ports[side][entry], from)
  return {
    origins,
    traefik,
    gateway,
    connect,
    play: async (side, one) => {
      const seen: Seen[] = []
      for (const ask of one.asks) seen.push(await put(origins, connect, side, one, ask))
      return seen
    },
    stop: async () => {
      await traefik.stop()
      await gateway.stop()
      await origins.stop()
      authority.remove()
    },
  }
}

// Somebody else may take a port between its choice and its use.
async function startSluice(routes: Keys, attempt = 1): Promise<Sluice> {
  const [trustedPort = 0, securePort = 0] = await freePorts(2)
  const entryPoints = furtherEntryPoints(trustedPort, securePort)
  try {
    return { gateway: await startGateway({ routes, entryPoints }), trustedPort, securePort }
  } catch (error) {
    if (attempt === 3) throw error
    return startSluice(routes, attempt + 1)
  }
}

interface Sluice {
  readonly gateway: Gateway
  readonly trustedPort: number
  readonly securePort: number
}

function tlsOf(authority: TestAuthority): Keys {
  const { certFile, keyFile } = authority.issue('beside.test')
  const caFiles = [authority.root.certFile]
  return {
    certificates: [{ certFile, keyFile }],
    stores: { default: { defaultCertificate: { certFile, keyFile } } },
    options: {
      default: { clientAuth: { caFiles, clientAuthType: 'VerifyClientCertIfGiven' } },
    },
  }
}

function connectSecure(port: number, client: Issued): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      servername: 'beside.test',
      rejectUnauthorized: false,
      cert: client.certPem,
      key: client.keyPem,
      ALPNProtocols: ['http/1.1'],
    })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.removeListener('error', reject)
      resolve(new RawClient(socket))
    })
  })
}

async function put(
  origins: Origins,
  connect: Pair['connect'],
  side: Side,
  one: Case,
  ask: Ask,
): Promise<Seen> {
  // Not in place of a condition: breakers and limits of both are about time, and both get the same.
  if (ask.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, ask.pauseMs))
  origins.served = []
  origins.reply = ask.reply ?? one.reply ?? plain
  const client = await connect(side, ask.entry, ask.from)
  client.send(textOf(ask, `${one.name}.test`))
  const interim: number[] = []
  let answer: Response | null = null
  try {
    for (;;) {
      answer = await client.readResponse(ask.method === 'HEAD', 5_000)
      if (answer.status >= 200 || answer.status === 101) break
      interim.push(answer.status)
    }
  } catch {
    answer = null
  }
  client.destroy()
  return { interim, answer, served: origins.served }
}

const usual = ['User-Agent: beside/1', 'Accept-Encoding: identity']
const nameOf = (line: string) => line.slice(0, line.indexOf(':')).toLowerCase()

export function textOf(ask: Ask, host: string): string {
  const names = ask.headers.map(nameOf)
  const isFramed = names.includes('content-length') || names.includes('transfer-encoding')
  const lines = [
    `${ask.method} ${ask.target} HTTP/1.1`,
    ...(names.includes('host') ? [] : [`Host: ${host}`]),
    ...ask.headers,
    ...(ask.isBare ? [] : usual.filter((line) => !names.includes(nameOf(line)))),
    ...(ask.body === '' || isFramed ? [] : [`Content-Length: ${ask.body.length}`]),
  ]
  return lines.join('\r\n') + '\r\n\r\n' + ask.body
}

function connectFrom(port: number, localAddress: string): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(new RawClient(socket))
    })
  })
}

function routesOf(cases: readonly Case[], url: Urls): Keys {
  const entryPoints = ['web', 'trusted']
  const plainRouter = (name: string): Keys => ({ rule: `Host(\`${name}.test\`)`, entryPoints })
  const parts = cases.map((one) => ({
    routers: one.routers ?? {
      [one.name]: {
        ...plainRouter(one.name),
        ...(one.rule === undefined ? {} : { rule: one.rule }),
        ...(one.isSecure === true ? { entryPoints: ['secure'], tls: {} } : {}),
        middlewares: one.order ?? Object.keys(one.middlewares ?? {}),
        service: one.services?.[one.name] === undefined ? 'a' : one.name,
      },
    },
    middlewares: one.middlewares ?? {},
    services: one.services ?? {},
  }))
  const merged = (key: 'routers' | 'middlewares' | 'services'): Keys =>
    Object.assign({}, ...parts.map((part) => part[key])) as Keys
  const servers = ['a', 'b', 'c', 'auth', 'pages'].map((name) => [name, serverOf(url(name))])
  return {
    http: {
      routers: { ready: { ...plainRouter('ready'), service: 'a' }, ...merged('routers') },
      ...(Object.keys(merged('middlewares')).length === 0
        ? {}
        : { middlewares: merged('middlewares') }),
      services: { ...Object.fromEntries(servers), ...merged('services') },
    },
  }
}

export function serverOf(...urls: string[]): Keys {
  return { loadBalancer: { servers: urls.map((url) => ({ url })) } }
}

// ---- what cases are written with

export type AskMore = Partial<Omit<Ask, 'method' | 'target' | 'headers'>>

export function ask(
  method: string,
  target: string,
  headers: readonly string[] = [],
  more: AskMore = {},
): Ask {
  const rest = { body: '', entry: 'web', from: '127.0.0.1', reply: null } as const
  const unusual = { isBare: false, pauseMs: 0 }
  return { method, target, headers, ...rest, ...unusual, ...more }
}

export function get(target: string, ...headers: string[]): Ask {
  return ask('GET', target, headers)
}

export function trustedGet(target: string, ...headers: string[]): Ask {
  return ask('GET', target, headers, { entry: 'trusted' })
}
