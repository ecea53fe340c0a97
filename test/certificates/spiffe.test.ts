// The source of SVIDs against a Workload API that behaves, and against one that does not.

import { X509Certificate } from 'node:crypto'
import http2 from 'node:http2'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { SpiffeSource } from '../../certificates/spiffe/source.ts'
import { readSvidResponse } from '../../certificates/spiffe/svid.ts'
import { parseWorkloadAddress, type SpiffeIdentity } from '../../config/spiffe.ts'
import { type Issued, TestAuthority } from '../support/certificates.ts'
import { type Given, WorkloadApi, message, responseOf } from '../support/workload-api.ts'
import { eventually } from '../support/wait.ts'

const ID = 'spiffe://example.org/gateway'

let authority: TestAuthority
let other: TestAuthority
let svid: Issued
let given: Given
let api: WorkloadApi
let source: SpiffeSource | null = null
const said: string[] = []
const changes: (SpiffeIdentity | null)[] = []

beforeAll(() => {
  authority = new TestAuthority('example.org')
  other = new TestAuthority('other.test')
  svid = authority.issue('svid', { names: [`URI:${ID}`] })
  given = {
    id: ID,
    svid,
    bundle: [authority.root],
    federated: { 'spiffe://other.test': [other.root] },
  }
})
beforeEach(() => {
  api = new WorkloadApi()
  said.length = 0
  changes.length = 0
})
afterEach(() => {
  source?.close()
  source = null
  api.remove()
})
afterAll(() => {
  authority.remove()
  other.remove()
})

function startSource(now: () => number = Date.now): SpiffeSource {
  const tell = (line: string): void => void said.push(line)
  source = new SpiffeSource({
    address: parseWorkloadAddress(api.address)!,
    log: { debug: tell, info: tell, warn: tell, error: tell },
    onChange: (identity) => changes.push(identity),
    retryFirstMs: 10,
    now,
  })
  source.start()
  return source
}

test('An SVID comes with its key and the bundles of all trust domains', async () => {
  await api.start()
  api.give(given)
  const running = startSource()
  await running.first(10_000)
  expect(changes).toHaveLength(1)
  expect(changes[0]).toMatchObject({ id: ID, trustDomain: 'example.org' })
  expect(changes[0]!.certPem).toBe(svid.certPem.replace(/^[^-]*/, ''))
  expect(changes[0]!.bundles.map((one) => one.trustDomain)).toEqual(['example.org', 'other.test'])
  expect(running.status).toMatchObject({ state: 'current', id: ID, lastError: '' })
  expect(said.join()).not.toContain('PRIVATE KEY')
})

test('A new SVID is taken up when the agent sends it, on the same stream', async () => {
  await api.start()
  api.give(given)
  await startSource().first(10_000)
  const renewed = authority.issue('svid', { names: [`URI:${ID}`] })
  api.give({ ...given, svid: renewed })
  await eventually('the new one', () => changes.length === 2)
  expect(changes[1]!.certPem).not.toBe(changes[0]!.certPem)
  expect(api.calls).toBe(1)
})

test('An agent that comes late, goes and comes back is found each time, and its SVID is kept meanwhile', async () => {
  const running = startSource()
  await eventually('a failure to be told', () => said.some((line) => /ENOENT/.test(line)))
  expect(running.status).toMatchObject({ state: 'waiting', id: '', notAfter: 0 })
  await api.start()
  api.give(given)
  await running.first(10_000)
  api.stop()
  await eventually('the end to be noticed', () => running.status.state === 'disconnected')
  expect(running.status.id).toBe(ID)
  expect(changes).toHaveLength(1)
  await api.start()
  await eventually('the stream to be back', () => running.status.state === 'current')
  // The same failure is told once, however often it is met.
  expect(said.filter((line) => /ENOENT/.test(line)).length).toBeLessThanOrEqual(2)
})

test('An agent without an identity for us is asked again, and says why', async () => {
  await api.start()
  api.refuse(status.PERMISSION_DENIED)
  const running = startSource()
  await eventually('several calls', () => api.calls > 3)
  expect(running.status.lastError).toContain('PERMISSION_DENIED')
  expect(changes).toEqual([])
  api.refuse(null)
  api.give(given)
  await running.first(10_000)
  expect(running.status.state).toBe('current')
})

test('A response that is wrong is told, and the SVID before it stays', async () => {
  await api.start()
  api.give(given)
  const running = startSource()
  await running.first(10_000)
  api.send(Buffer.from([0x0a, 200]))
  await eventually('it to be told', () => said.some((line) => line.includes("can't be read")))
  expect(changes).toHaveLength(1)
  expect(running.status).toMatchObject({ state: 'disconnected', id: ID })
  api.give(given)
  await eventually('the next good one', () => changes.length === 2)
})

test('An SVID that ends is used no longer, and one that has ended is not taken', async () => {
  await api.start()
  api.give(given)
  const end = Date.parse(new X509Certificate(svid.certPem).validTo)
  const ahead = end - 2500 - Date.now() // 2.5 s are left of it
  const running = startSource(() => Date.now() + ahead)
  await running.first(10_000)
  await eventually('the end of it', () => changes.length === 2)
  expect(changes[1]).toBeNull()
  expect(running.status).toMatchObject({ state: 'waiting', id: '', notAfter: 0 })
  api.give(given)
  await eventually('it to be refused', () => said.some((line) => line.includes('ended on')))
  expect(changes).toHaveLength(2)
})

test('Responses that are not whole, or not of one identity, are refused with a reason', () => {
  const root = authority.issue('root', { names: ['URI:spiffe://example.org/other'] })
  const two = authority.issue('two', { names: [`URI:${ID}`, 'URI:spiffe://example.org/b'] })
  const late = authority.issue('late', { names: [`URI:${ID}`], days: -1 })
  const cases: readonly (readonly [string, Buffer])[] = [
    ['holds no SVID', message()],
    ['no SPIFFE id', responseOf({ ...given, id: 'https://example.org/x' })],
    ['no SPIFFE id', responseOf({ ...given, id: 'spiffe://Example.org/x' })],
    ['is not that of', responseOf({ ...given, svid: root })],
    ['is not that of', responseOf({ ...given, svid: two })],
    ['ended on', responseOf({ ...given, svid: late })],
    ['does not belong', responseOf({ ...given, svid: { ...svid, keyPem: two.keyPem } })],
    ['the SVID holds no certificate', message([1, message([1, ID])])],
    ['bundle of example.org holds no', responseOf({ ...given, bundle: [] })],
    ['bundle of other.test holds no', responseOf({ ...given, federated: { 'other.test': [] } })],
    ['no trust domain', responseOf({ ...given, federated: { 'a/b': [other.root] } })],
    ["can't be read", Buffer.from([0x0a, 5, 1])],
  ]
  for (const [reason, bytes] of cases)
    expect(() => readSvidResponse(bytes, Date.now()), reason).toThrow(reason)
})

test('What is no gRPC, or sends messages without end, is left', async () => {
  const answers: ((stream: http2.ServerHttp2Stream) => void)[] = [
    (stream) => {
      stream.respond({ ':status': 404 })
      stream.end('nothing here')
    },
    (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]))
    },
    (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      stream.write(Buffer.from([1, 0, 0, 0, 1, 0]))
    },
  ]
  const server = http2.createServer()
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    answers.shift()?.(stream)
  })
  await new Promise<void>((resolve) => server.listen(join(api.folder, 'agent.sock'), resolve))
  startSource()
  for (const reason of ['not one of gRPC (status 404)', 'above 4 MiB', 'a compressed message'])
    await eventually(reason, () => said.some((line) => line.includes(reason)))
  expect(changes).toEqual([])
  source!.close()
  server.close()
})

test('Addresses are a socket or an address of the network', () => {
  const path = '/run/spire/agent.sock'
  expect(parseWorkloadAddress(`unix://${path}`)).toEqual({ path, host: '', port: 0 })
  expect(parseWorkloadAddress(`unix:${path}`)).toEqual({ path, host: '', port: 0 })
  expect(parseWorkloadAddress('tcp://127.0.0.1:8081')).toMatchObject({ host: '127.0.0.1' })
  expect(parseWorkloadAddress('tcp://[::1]:8081')).toMatchObject({ host: '::1', port: 8081 })
  for (const bad of ['', path, 'unix://relative', 'tcp://agent:80', 'tcp://127.0.0.1', 'http://a'])
    expect(parseWorkloadAddress(bad), bad).toBeNull()
})
