// Transports with `spiffe` and a Workload API: who we are and whom we believe come from the agent, and without it nobody
// is spoken to.

import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { type Given, WorkloadApi } from '../../support/workload-api.ts'
import { eventually } from '../../support/wait.ts'

const ID = 'spiffe://example.org/gateway'

let ours: TestAuthority
let theirs: TestAuthority
let given: Given
let api: WorkloadApi
let gateway: Gateway
let server: https.Server
const serials: string[] = [] // of the client certificates that `server` has seen, one for each connection
const servers: https.Server[] = []
const routers: Record<string, Keys> = {}
const services: Record<string, Keys> = {}
const transports: Record<string, Keys> = {}

// Takes clients of our trust domain alone.
async function serve(leaf: Issued): Promise<https.Server> {
  const one = https.createServer(
    { cert: leaf.certPem, key: leaf.keyPem, ca: ours.root.certPem, requestCert: true },
    (request, response) => {
      const { subjectaltname = '' } = (request.socket as TLSSocket).getPeerCertificate()
      response.end(subjectaltname)
    },
  )
  one.on('secureConnection', (socket) => serials.push(socket.getPeerCertificate().serialNumber))
  one.on('tlsClientError', () => {})
  one.listen(0, '127.0.0.1')
  await once(one, 'listening')
  servers.push(one)
  return one
}

function route(name: string, to: https.Server, spiffe: Keys): void {
  const url = `https://127.0.0.1:${(to.address() as AddressInfo).port}`
  transports[name] = { spiffe, maxIdleConnsPerHost: -1 }
  services[name] = { loadBalancer: { serversTransport: name, servers: [{ url }] } }
  routers[name] = { rule: `Path(\`/${name}\`)`, entryPoints: ['web'], service: name }
}

async function ask(name: string): Promise<{ status: number; body: string }> {
  const client = await connectRaw(gateway.port)
  client.send(requestText('GET', `/${name}`))
  const answer = await client.readResponse()
  client.destroy()
  return answer
}

beforeAll(async () => {
  ours = new TestAuthority('example.org')
  theirs = new TestAuthority('other.test')
  const shown = (authority: TestAuthority, id: string): Issued =>
    authority.issue('x', { names: [`URI:${id}`] })
  given = {
    id: ID,
    svid: shown(ours, ID),
    bundle: [ours.root],
    federated: { 'spiffe://other.test': [theirs.root] },
  }
  server = await serve(shown(ours, 'spiffe://example.org/app'))
  const federated = await serve(shown(theirs, 'spiffe://other.test/app'))
  const forged = await serve(shown(theirs, 'spiffe://example.org/app'))
  const nobody = await serve(ours.issue('app.example'))
  route('any', server, {})
  route('id', server, { ids: ['spiffe://example.org/app'] })
  route('other-id', server, { ids: ['spiffe://example.org/db'] })
  route('domain', server, { trustDomain: 'example.org' })
  route('unknown-domain', server, { trustDomain: 'nowhere.test' })
  route('federated', federated, {})
  route('federated-not-wanted', federated, { trustDomain: 'example.org' })
  route('forged', forged, {})
  route('forged-id', forged, { ids: ['spiffe://example.org/app', 'spiffe://other.test/app'] })
  route('nobody', nobody, {})
  api = new WorkloadApi()
  gateway = await startGateway({
    static: { spiffe: { workloadAPIAddr: api.address } },
    routes: { http: { routers, services, serversTransports: transports } },
  })
}, 60_000)
afterAll(async () => {
  await gateway.stop()
  for (const one of servers) {
    one.closeAllConnections()
    one.close()
  }
  api.remove()
  ours.remove()
  theirs.remove()
})

async function overview(): Promise<Record<string, unknown>> {
  const { body } = await gateway.admin('/api/overview')
  return (JSON.parse(body) as { sluice: { spiffe: Record<string, unknown> } }).sluice.spiffe
}

test('without an agent nobody is spoken to, and log and API say why', async () => {
  const answer = await ask('any')
  expect([answer.status, answer.body]).toEqual([502, 'Bad Gateway (UPSTREAM_TLS)\n'])
  await gateway.untilStderr('SPIFFE_NO_SVID')
  expect(await overview()).toMatchObject({ state: 'waiting', id: '', lastError: 'ENOENT' })
  expect(serials).toEqual([])
})

test('when it comes, servers are shown our SVID and are believed by the bundles', async () => {
  await api.start()
  api.give(given)
  await eventually('the SVID to be in use', async () => (await ask('any')).status === 200)
  for (const name of ['any', 'id', 'domain', 'federated'])
    expect(await ask(name), name).toMatchObject({ status: 200, body: `URI:${ID}` })
  expect(await overview()).toMatchObject({
    state: 'current',
    id: ID,
    trustDomains: ['example.org', 'other.test'],
  })
  const { body } = await gateway.admin('/metrics')
  expect(body).toMatch(/^sluice_spiffe_svid_not_after [1-9]/m)
})

test.each([
  ['other-id', 'an id that is not one of those'],
  ['unknown-domain', 'a trust domain of which there is no bundle'],
  ['federated-not-wanted', 'a federated trust domain where ours is asked for'],
  ['forged', 'an id of ours by the authority of a federated domain'],
  ['forged-id', 'the same where both domains are wanted'],
  ['nobody', 'a certificate of ours without an id'],
])('%s: 502 for %s', async (name) => {
  expect((await ask(name)).status).toBe(502)
})

test('a renewed SVID is shown by new connections', async () => {
  const svid = ours.issue('renewed', { names: [`URI:${ID}`] })
  api.give({ ...given, svid })
  const before = serials.at(-1)
  await eventually('it to be shown', async () => {
    expect((await ask('id')).status).toBe(200)
    return serials.at(-1) !== before
  })
})

test('a bundle that loses its authority ends the trust in those it has signed', async () => {
  api.give({ ...given, federated: {} })
  await eventually('the domain to be unknown', async () => (await ask('federated')).status === 502)
  expect((await ask('id')).status).toBe(200)
})

test('when the agent has gone the SVID stays, and that is told', async () => {
  api.stop()
  await eventually('it to be told', async () => (await overview()).state === 'disconnected')
  expect((await ask('id')).status).toBe(200)
  expect(gateway.stderr()).not.toContain('PRIVATE KEY')
  expect(gateway.stderr()).not.toContain('defect')
})

test('certificates of one’s own beside spiffe are refused', async () => {
  gateway.writeRoutes({
    http: {
      serversTransports: { mixed: { spiffe: {}, rootCAs: [ours.root.certFile] } },
      services: { mixed: { loadBalancer: { serversTransport: 'mixed', servers: [] } } },
      routers: { mixed: { rule: 'Path(`/mixed`)', service: 'mixed' } },
    },
  })
  await gateway.untilStderr('rootCAs: has no meaning beside spiffe')
})
