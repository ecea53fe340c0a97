// Certificates in a Secret: the promises of every store, against an API server that keeps resource versions.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KubernetesStore, inCluster } from '../../certificates/storage/kubernetes.ts'
import { openStore } from '../../certificates/storage/open.ts'
import { type Asked, FakeService, type Reply } from './fake-service.ts'
import { storeSuite } from './store-suite.ts'

const PATH = '/api/v1/namespaces/edge/secrets'

// Secrets of one namespace, as the API server keeps them.
class ApiServer {
  readonly secrets = new Map<string, Record<string, unknown>>()
  conflicts = 0
  private version = 0

  readonly handler = ({ method, path, headers, text }: Asked): Reply => {
    if (headers.authorization !== 'Bearer pod-token')
      return { status: 403, json: { kind: 'Status', message: 'secrets is forbidden' } }
    const name = path.slice(PATH.length + 1)
    const known = this.secrets.get(name)
    if (method === 'GET') return known === undefined ? { status: 404, json: {} } : { json: known }
    const body = JSON.parse(text)
    const { metadata } = body
    const isStale =
      method === 'POST'
        ? this.secrets.has(metadata.name)
        : known === undefined ||
          (known['metadata'] as { resourceVersion: string }).resourceVersion !==
            metadata.resourceVersion
    if (isStale) {
      this.conflicts++
      return { status: 409, json: { message: 'the object has been modified' } }
    }
    const next = { ...body, metadata: { ...metadata, resourceVersion: String(++this.version) } }
    this.secrets.set(metadata.name, next)
    return { status: method === 'POST' ? 201 : 200, json: next }
  }
}

const access = (token = 'pod-token') => ({
  url: 'https://10.96.0.1:443',
  token: async () => token,
  trust: async () => ({ ca: null, serverName: '' }),
})
describe('The Kubernetes store', () => {
  const api = new ApiServer()
  const service = new FakeService(api.handler)
  const moment = { at: 1000 }
  beforeAll(async () => {
    await service.listen()
  })
  afterAll(() => service.close())

  const open = (name = 'acme', token?: string) =>
    new KubernetesStore(
      `kubernetes://edge/${name}`,
      access(token),
      service.transport,
      () => moment.at,
    )
  storeSuite(() => open())

  test('The Secret holds the file as Traefik would write it, and what others put beside it stays', async () => {
    const store = open('mixed')
    const data = { 'tls.crt': 'eA==' }
    api.secrets.set('mixed', {
      kind: 'Secret',
      metadata: { name: 'mixed', resourceVersion: '0', labels: { a: 'b' } },
      data,
    })
    const lease = (await store.acquire('le'))!
    await store.write(lease, () => ({ Account: { Email: 'a@example.org' } }))
    const secret = api.secrets.get('mixed') as { metadata: object; data: Record<string, string> }
    expect(secret.metadata).toMatchObject({ labels: { a: 'b' } })
    expect(secret.data['tls.crt']).toBe('eA==')
    const file = Buffer.from(secret.data['acme.json']!, 'base64').toString()
    expect(JSON.parse(file)).toEqual({ le: { Account: { Email: 'a@example.org' } } })
  })

  test('Of many that want the lock at once one gets it', async () => {
    const stores = Array.from({ length: 8 }, () => open('race'))
    const leases = await Promise.all(stores.map((store) => store.acquire('le')))
    expect(leases.filter((lease) => lease !== null)).toHaveLength(1)
    expect(api.conflicts).toBeGreaterThan(0)
  })

  test('A lock whose holder has died is taken over once its beat has stood still, and fences the dead one', async () => {
    const [one, two] = [open('dead'), open('dead')]
    const late = (await one.acquire('le'))!
    expect(await two.acquire('le')).toBeNull()
    moment.at += 59_000
    expect(await one.renew(late)).toBe(true) // it lives
    moment.at += 2000
    expect(await two.acquire('le')).toBeNull()
    moment.at += 60_000
    const next = await two.acquire('le')
    expect(next).not.toBeNull()
    await expect(one.write(late, () => ({ mine: true }))).rejects.toThrow('lock was lost')
    await one.release(late)
    expect(await two.renew(next!)).toBe(true)
  })

  test('Answers to challenges are seen by every gateway until they are taken away', async () => {
    const [one, two] = [open('board'), open('board')]
    const plan = {
      kind: 'http-01',
      name: 'http-01 t',
      entryPoint: '',
      token: 't',
      keyAuthorization: 't.k',
    } as const
    await one.challenges.put('le', [plan])
    expect(await two.challenges.list('le')).toEqual([plan])
    await one.challenges.take('le', ['http-01 t'])
    expect(await two.challenges.list('le')).toEqual([])
  })

  test('What the API server forbids is an error with its reason and without the token', async () => {
    const fault = await open('acme', 'stolen').read('le').catch(String)
    expect(fault).toContain('Secret edge/acme: reading: 403 secrets is forbidden')
    expect(fault).not.toContain('stolen')
  })

  test('More than a Secret can hold is refused before it is sent', async () => {
    const store = open('full')
    const lease = (await store.acquire('le'))!
    const text = 'x'.repeat(1_000_000)
    await expect(store.write(lease, () => ({ text }))).rejects.toThrow('larger than 1 MiB')
  })

  test('Outside of a pod, and with a place that is none, it does not start', async () => {
    expect(() => inCluster({})).toThrow('in a pod only')
    await expect(openStore('kubernetes://edge/acme', {})).rejects.toThrow('in a pod only')
    const pod = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }
    expect(inCluster(pod).url).toBe('https://[fd00::1]:6443')
    await expect(openStore('kubernetes://edge', pod)).rejects.toThrow('not kubernetes://')
  })
})
