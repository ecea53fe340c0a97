// TLS to servers: who is trusted, what is shown, and what a client sees of a server that is not trusted.

import { copyFileSync, renameSync } from 'node:fs'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

interface Facts {
  readonly sni: string
  readonly client: string // common name of the client's certificate
  readonly version: string
  readonly resumed: boolean
}

interface TlsServer {
  readonly url: string
  readonly facts: Facts[] // of each request
  readonly server: https.Server
}

const servers: https.Server[] = []
const clients: RawClient[] = []
let ours: TestAuthority
let theirs: TestAuthority
let gateway: Gateway
let rotated = '' // a file of authorities that changes
const targets = new Map<string, TlsServer>()
const transports: Record<string, Keys> = {}
const services: Record<string, Keys> = {}
const routers: Record<string, Keys> = {}

async function serve(issued: Issued, options: https.ServerOptions = {}): Promise<TlsServer> {
  const facts: Facts[] = []
  const server = https.createServer(
    { cert: issued.certPem, key: issued.keyPem, keepAlive: true, ...options },
    (request, response) => {
      const socket = request.socket as TLSSocket
      facts.push({
        sni: socket.servername || '',
        client: String(socket.getPeerCertificate().subject?.CN ?? ''),
        version: String(socket.getProtocol()),
        resumed: socket.isSessionReused(),
      })
      if (request.headers['x-close'] !== undefined) response.setHeader('Connection', 'close')
      const chunks: Buffer[] = []
      request.on('data', (bytes: Buffer) => chunks.push(bytes))
      request.on('end', () => response.end(request.url + ' ' + Buffer.concat(chunks).toString()))
    },
  )
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `https://127.0.0.1:${port}`, facts, server }
}

// Route /name leads to `server` by a transport with these keys.
function route(name: string, server: TlsServer, transport: Keys): void {
  targets.set(name, server)
  transports[name] = transport
  services[name] = { loadBalancer: { serversTransport: name, servers: [{ url: server.url }] } }
  routers[name] = { rule: `Path(\`/${name}\`)`, entryPoints: ['web'], service: name }
}

async function ask(name: string, headers = '', body = '') {
  const client = await connectRaw(gateway.port)
  clients.push(client)
  client.send(requestText(body === '' ? 'GET' : 'POST', `/${name}`, headers, body))
  return client.readResponse()
}

beforeAll(async () => {
  ours = new TestAuthority('Ours')
  theirs = new TestAuthority('Theirs')
  const ip = ours.issue('server', {
    names: ['IP:127.0.0.1', 'app.test', 'URI:spiffe://example.org/app'],
  })
  const valid = await serve(ip)
  const trust = { rootCAs: [ours.root.certFile] }
  route('valid', valid, trust)
  route('unknown', valid, {})
  route('their-root', valid, { rootCAs: [theirs.root.certFile] })
  route('insecure', valid, { insecureSkipVerify: true })
  route('named', valid, { ...trust, serverName: 'app.test' })
  route('misnamed', valid, { ...trust, serverName: 'other.test' })
  route('pinned', valid, { ...trust, peerCertSANs: [{ type: 'DNSName', value: 'app.test' }] })
  route('pinned-uri', valid, { ...trust, peerCertURI: 'spiffe://example.org/app' })
  route('mispinned', valid, { ...trust, peerCertSANs: [{ type: 'DNSName', value: 'b.test' }] })
  route('pinned-unverified', valid, {
    insecureSkipVerify: true,
    rootCAs: [theirs.root.certFile],
    peerCertURI: 'spiffe://example.org/app',
  })
  route('pinned-name-off', valid, {
    ...trust,
    insecureSkipVerify: true,
    serverName: 'other.test',
    peerCertURI: 'spiffe://example.org/app',
  })
  route('spiffe', valid, {
    ...trust,
    serverName: 'other.test',
    spiffe: { ids: ['spiffe://example.org/app'] },
  })
  route('spiffe-domain', valid, { ...trust, spiffe: { trustDomain: 'example.org' } })
  route('spiffe-other', valid, { ...trust, spiffe: { trustDomain: 'example.com' } })
  route('tls12', valid, { ...trust, maxVersion: 'VersionTLS12' })
  const expired = ours.issue('expired', { names: ['IP:127.0.0.1'], days: -1 })
  route('expired', await serve(expired), trust)
  const wrong = ours.issue('wrong', { names: ['wrong.test'] })
  route('wrong-name', await serve(wrong), trust)
  const nul = await serve(ours.issue('app.test', { rawName: 'app.test\0.evil.test' }))
  route('nul-name', nul, { ...trust, serverName: 'app.test' })
  route('nul-pinned', nul, { ...trust, peerCertSANs: [{ type: 'DNSName', value: 'app.test' }] })
  const common = await serve(ours.issue('/CN=app.test', { names: [] }))
  route('common-name', common, { ...trust, serverName: 'app.test' })
  const client = ours.issue('gateway', { names: ['gateway.test'] })
  const demanding = await serve(ip, {
    ca: ours.root.certPem,
    requestCert: true,
    rejectUnauthorized: true,
  })
  route('client', demanding, {
    ...trust,
    certificates: [{ certFile: client.certFile, keyFile: client.keyFile }],
  })
  route('no-client', demanding, trust)
  route('old-server', await serve(ip, { maxVersion: 'TLSv1.2' }), {
    ...trust,
    minVersion: 'VersionTLS13',
  })
  rotated = join(ours.folder, 'rotated.pem')
  copyFileSync(theirs.root.certFile, rotated)
  route('rotated', valid, { rootCAs: [rotated] })
  gateway = await startGateway({
    routes: { http: { routers, services, serversTransports: transports } },
  })
}, 60_000)

afterAll(async () => {
  for (const client of clients) client.destroy()
  await gateway.stop()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  ours.remove()
  theirs.remove()
})

test('a server whose certificate is of our authority and of its address is asked, without SNI for an address', async () => {
  const answer = await ask('valid', '', 'body of a request')
  expect([answer.status, answer.body]).toEqual([200, '/valid body of a request'])
  expect(targets.get('valid')!.facts.at(-1)).toMatchObject({ sni: '', version: 'TLSv1.3' })
})

test.each([
  ['named', 'serverName is sent as SNI and is what the certificate must be of'],
  ['insecure', 'insecureSkipVerify takes any certificate'],
  ['pinned', 'a pinned DNS name that the certificate has is enough'],
  ['pinned-uri', 'a pinned URI that the certificate has is enough'],
  ['pinned-name-off', 'with insecureSkipVerify a pin takes the place of the name'],
  ['spiffe', 'a SPIFFE id takes the place of the name'],
  ['spiffe-domain', 'any id of the trust domain is taken'],
])('%s: %s', async (name) => {
  expect((await ask(name)).status).toBe(200)
})

test('SNI is the serverName', async () => {
  await ask('named', 'X-Close: 1\r\n')
  await ask('named')
  expect(targets.get('named')!.facts.at(-1)!.sni).toBe('app.test')
})

test.each([
  ['unknown', 'UPSTREAM_CERTIFICATE', 'an authority that the system does not know'],
  ['their-root', 'UPSTREAM_CERTIFICATE', 'an authority that rootCAs does not hold'],
  ['misnamed', 'UPSTREAM_CERTIFICATE', 'a certificate that is not of serverName'],
  ['wrong-name', 'UPSTREAM_CERTIFICATE', 'a certificate that is not of the address'],
  ['expired', 'UPSTREAM_CERTIFICATE', 'an expired certificate'],
  ['nul-name', 'UPSTREAM_CERTIFICATE', 'a name that is ours up to a NUL (CVE-2025-66220)'],
  ['nul-pinned', 'UPSTREAM_CERTIFICATE', 'a pinned name that is there up to a NUL'],
  ['common-name', 'UPSTREAM_CERTIFICATE', 'a name that stands in the subject alone (RFC 9525)'],
  ['mispinned', 'UPSTREAM_CERTIFICATE', 'a certificate without the pinned name'],
  [
    'pinned-unverified',
    'UPSTREAM_CERTIFICATE',
    'a pinned name of another authority, even with insecureSkipVerify',
  ],
  ['spiffe-other', 'UPSTREAM_CERTIFICATE', 'an id of another trust domain'],
  ['old-server', 'UPSTREAM_TLS', 'a server that only speaks older TLS than minVersion'],
])('%s: 502 %s for %s, and the reason is logged', async (name, code) => {
  const answer = await ask(name)
  expect([answer.status, answer.body]).toEqual([502, `Bad Gateway (${code})\n`])
  await gateway.untilStderr(targets.get(name)!.url)
  expect(gateway.stderr()).toMatch(/TLS handshake with server/)
})

test('a server that wants a certificate of its client gets ours, and refuses us without one', async () => {
  expect((await ask('client')).status).toBe(200)
  expect(targets.get('client')!.facts.at(-1)!.client).toBe('gateway')
  expect((await ask('no-client')).status).toBe(502)
})

test('maxVersion bounds what is offered', async () => {
  expect((await ask('tls12')).status).toBe(200)
  expect(targets.get('tls12')!.facts.at(-1)!.version).toBe('TLSv1.2')
})

test('a session is resumed on the next connection to the same server with the same transport, never with another', async () => {
  const { facts } = targets.get('valid')!
  await ask('valid', 'X-Close: 1\r\n')
  facts.length = 0
  await ask('valid', 'X-Close: 1\r\n')
  expect(facts[0]!.resumed).toBe(true)
  const answers = await Promise.all([ask('their-root'), ask('misnamed')])
  expect(answers.map((a) => a.status)).toEqual([502, 502])
})

test('the reasons that are logged say what was wrong', async () => {
  for (const reason of ['CERT_HAS_EXPIRED', 'HOST_MISMATCH', 'SAN_MISMATCH', 'SPIFFE_MISMATCH']) {
    await gateway.untilStderr(reason)
  }
})

test('insecureSkipVerify is warned of by name', () => {
  expect(gateway.stderr()).toMatch(/WRN .* insecure@file: insecureSkipVerify/)
})

test('a file of authorities that is replaced is taken up by itself', async () => {
  expect((await ask('rotated')).status).toBe(502)
  copyFileSync(ours.root.certFile, `${rotated}.next`)
  renameSync(`${rotated}.next`, rotated)
  await eventually('the server to be trusted', async () => (await ask('rotated')).status === 200)
})
