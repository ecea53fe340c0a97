// certificates/storage/kubernetes.ts: accounts and certificates in a Secret, for gateways of one cluster. Hot: no.
//
//   storage: kubernetes://<namespace>/<name>
//
//   data: acme.json   what the file would hold, of all resolvers     (the limit of a Secret is 1 MiB)
//         locks       by resolver: the token of who may write, and a beat that changes with each renewal
//         challenges  by resolver: answers that every gateway must give
//
// Every change is read, made and put back with the resourceVersion that was read: the API server refuses it (409)
// when anything has changed in between, so lock and contents are compared and written as one. A lock is taken over
// when its beat has not changed for the length of a lease as seen from here: clocks of two machines are never compared.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChallengePlan } from '../../config/protocol-plans.ts'
import type { Variables } from '../dns-providers/environment.ts'
import { type HttpResponse, type HttpTrust, type Transport, isObject, jsonObject } from '../http.ts'
import { blockIn, parseDocument } from './acme-json.ts'
import { type Block, type CertificateStore, LEASE_MS, type Lease, StoreError } from './contract.ts'
import type { SharedChallenges } from './contract.ts'

const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
const CONFLICTS_MAX = 12
const BYTES_MAX = 1024 * 1024
const MANAGER = { 'app.kubernetes.io/managed-by': 'sluice' }

export interface ClusterAccess {
  readonly url: string // of the API server
  readonly token: () => Promise<string> // read each time: it is rotated
  readonly trust: () => Promise<HttpTrust>
}

type Section = Record<string, unknown>

interface Contents {
  acme: Section
  locks: Section
  challenges: Section
}

interface Read {
  readonly contents: Contents
  readonly secret: Readonly<Record<string, unknown>> | null // null: there is none yet
}

export class KubernetesStore implements CertificateStore {
  readonly name: string
  readonly isShared = true
  readonly challenges: SharedChallenges
  private readonly path: string // of the Secrets of the namespace
  private readonly secretName: string
  private readonly access: ClusterAccess
  private readonly transport: Transport
  private readonly now: () => number
  private changing: Promise<unknown> = Promise.resolve()
  private readonly seen = new Map<string, { beat: string; at: number }>() // locks of others

  constructor(place: string, access: ClusterAccess, transport: Transport, now = Date.now) {
    const match = /^kubernetes:\/\/([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(place)
    if (match === null) throw new StoreError('storage: not kubernetes://<namespace>/<name>')
    const [, namespace = '', secretName = ''] = match
    this.name = `Secret ${namespace}/${secretName}`
    this.path = `/api/v1/namespaces/${namespace}/secrets`
    this.secretName = secretName
    this.access = access
    this.transport = transport
    this.now = now
    this.challenges = {
      put: (resolver, plans) => this.putChallenges(resolver, plans),
      take: (resolver, names) => this.takeChallenges(resolver, names),
      list: async (resolver) => {
        const { contents } = await this.get()
        return Object.values(sectionIn(contents.challenges, resolver))
      },
    }
  }

  async read(resolver: string): Promise<Block> {
    return blockIn((await this.get()).contents.acme, resolver)
  }

  async acquire(resolver: string): Promise<Lease | null> {
    const token = randomUUID()
    const isMine = await this.change((contents) => {
      if (!this.isFree(resolver, sectionIn(contents.locks, resolver))) return false
      contents.locks[resolver] = { token, beat: randomUUID() }
      return true
    })
    return isMine ? { resolver, token } : null
  }

  private isFree(resolver: string, lock: Section): boolean {
    const beat = String(lock['beat'] ?? '')
    if (beat === '') return true
    const before = this.seen.get(resolver)
    if (before?.beat === beat) return this.now() - before.at >= LEASE_MS
    this.seen.set(resolver, { beat, at: this.now() })
    return false
  }

  renew({ resolver, token }: Lease): Promise<boolean> {
    return this.change((contents) => {
      if (sectionIn(contents.locks, resolver)['token'] !== token) return false
      contents.locks[resolver] = { token, beat: randomUUID() }
      return true
    })
  }

  async write({ resolver, token }: Lease, change: (block: Block) => Block): Promise<void> {
    const isDone = await this.change((contents) => {
      if (sectionIn(contents.locks, resolver)['token'] !== token) return false
      contents.acme[resolver] = change(blockIn(contents.acme, resolver))
      return true
    })
    if (!isDone) throw new StoreError(`${this.name}: the lock was lost`)
  }

  async release({ resolver, token }: Lease): Promise<void> {
    await this.change((contents) => {
      if (sectionIn(contents.locks, resolver)['token'] !== token) return false
      contents.locks = without(contents.locks, [resolver])
      return true
    })
  }

  private async putChallenges(resolver: string, plans: readonly ChallengePlan[]): Promise<void> {
    await this.change((contents) => {
      const added = Object.fromEntries(plans.map((plan) => [plan.name, plan]))
      contents.challenges[resolver] = { ...sectionIn(contents.challenges, resolver), ...added }
      return plans.length > 0
    })
  }

  private async takeChallenges(resolver: string, names: readonly string[]): Promise<void> {
    await this.change((contents) => {
      const left = without(sectionIn(contents.challenges, resolver), names)
      contents.challenges[resolver] = left
      return names.length > 0
    })
  }

  async close(): Promise<void> {
    await this.changing
  }

  // ---- the Secret

  // Gives what `edit` gives; false leaves the Secret as it is. Changes of this gateway wait for one another, and one
  // is made again when another gateway was quicker.
  private change(edit: (contents: Contents) => boolean): Promise<boolean> {
    const next = this.changing.then(() => this.changeNow(edit))
    this.changing = next.catch(() => {})
    return next
  }

  private async changeNow(edit: (contents: Contents) => boolean): Promise<boolean> {
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      const { contents, secret } = await this.get()
      if (!edit(contents)) return false
      if (await this.put(contents, secret)) return true
      await sleep(20 + Math.random() * 50 * attempt)
    }
    throw new StoreError(`${this.name}: others change it all the time`)
  }

  private async get(): Promise<Read> {
    const response = await this.call('GET', `${this.path}/${this.secretName}`)
    if (response.status === 404) return { contents: contentsOf({}, this.name), secret: null }
    const secret = response.status === 200 ? jsonObject(response.body) : null
    if (secret === null) throw this.refusal('reading', response)
    const data = isObject(secret['data']) ? secret['data'] : {}
    return { contents: contentsOf(data, this.name), secret }
  }

  // false: something has changed since it was read.
  private async put(contents: Contents, secret: Read['secret']): Promise<boolean> {
    const before = secret !== null && isObject(secret['data']) ? secret['data'] : {}
    const data = { ...before, ...dataOf(contents) }
    const body =
      secret === null
        ? {
            apiVersion: 'v1',
            kind: 'Secret',
            type: 'Opaque',
            metadata: { name: this.secretName, labels: MANAGER },
            data,
          }
        : { ...secret, data }
    const text = JSON.stringify(body)
    if (text.length > BYTES_MAX) throw new StoreError(`${this.name} would be larger than 1 MiB`)
    const response =
      secret === null
        ? await this.call('POST', this.path, text)
        : await this.call('PUT', `${this.path}/${this.secretName}`, text)
    if (response.status === 200 || response.status === 201) return true
    if (response.status === 409) return false
    throw this.refusal('writing', response)
  }

  private async call(method: string, path: string, body?: string): Promise<HttpResponse> {
    const headers = {
      authorization: `Bearer ${await this.access.token()}`,
      accept: 'application/json',
    }
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    return this.transport({
      method,
      url: `${this.access.url}${path}`,
      headers: { ...headers, ...type },
      ...(body !== undefined && { body }),
      trust: await this.access.trust(),
      bytesMax: 4 * BYTES_MAX,
    })
  }

  private refusal(doing: string, { status, body }: HttpResponse): StoreError {
    const message = jsonObject(body)?.['message']
    const why = typeof message === 'string' ? ` ${message.slice(0, 300)}` : ''
    return new StoreError(`${this.name}: ${doing}: ${status}${why}`)
  }
}

function contentsOf(data: Readonly<Record<string, unknown>>, where: string): Contents {
  const section = (key: string) => {
    const text = Buffer.from(String(data[key] ?? ''), 'base64').toString('utf8')
    return { ...parseDocument(text, `${where}: ${key}`) }
  }
  return { acme: section('acme.json'), locks: section('locks'), challenges: section('challenges') }
}

function dataOf(contents: Contents): Record<string, string> {
  const { acme, locks, challenges } = contents
  return { 'acme.json': encoded(acme), locks: encoded(locks), challenges: encoded(challenges) }
}

function encoded(section: Section): string {
  return Buffer.from(JSON.stringify(section)).toString('base64')
}

function sectionIn(section: Section, key: string): Section {
  const value = section[key]
  return isObject(value) ? value : {}
}

function without(section: Section, keys: readonly string[]): Section {
  return Object.fromEntries(Object.entries(section).filter(([key]) => !keys.includes(key)))
}

// What a pod finds about its cluster.
export function inCluster(variables: Variables): ClusterAccess {
  const host = variables['KUBERNETES_SERVICE_HOST'] ?? ''
  if (host === '') throw new StoreError('storage: kubernetes:// works in a pod only')
  const port = variables['KUBERNETES_SERVICE_PORT'] ?? '443'
  return {
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    token: async () => (await readFile(`${ACCOUNT_FOLDER}/token`, 'utf8')).trim(),
    trust: async () => ({
      ca: [await readFile(`${ACCOUNT_FOLDER}/ca.crt`, 'utf8')],
      serverName: '',
    }),
  }
}
