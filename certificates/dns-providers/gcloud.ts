// certificates/dns-providers/gcloud.ts: Google Cloud DNS, API v1, as a service account (a JWT of its key, RFC 7523).
//
// A change names what is there and what shall be, so the set of a name is read first. Hot: no.

import { readFileSync } from 'node:fs'
import { SignJWT, importPKCS8 } from 'jose'
import { isObject } from '../http.ts'
import { suffixesOf } from '../dns/lookup.ts'
import { Api, bearer, objectsIn } from './api.ts'
import type { DnsProvider, ProviderTools } from './contract.ts'
import type { Environment } from './environment.ts'

const SCOPE = 'https://www.googleapis.com/auth/ndev.clouddns.readwrite'
const BASE = 'https://dns.googleapis.com/dns/v1/projects'
const TOKEN_S = 3600
const POLL_MS = 2000
const POLLS_MAX = 60

interface ServiceAccount {
  readonly email: string
  readonly key: string
  readonly tokenUri: string
  readonly project: string
}

interface RecordSet {
  readonly name: string
  readonly type: 'TXT'
  readonly ttl: number
  readonly rrdatas: readonly string[]
}

type HeadersOf = (signal: AbortSignal) => Promise<Record<string, string>>

// A token is asked for when it is needed first, and again before it ends.
function tokenHeaders({ transport, now }: ProviderTools, account: ServiceAccount): HeadersOf {
  const api = new Api(transport, 'gcloud')
  let token = ''
  let tokenUntil = 0

  return async (signal) => {
    if (token === '' || now() > tokenUntil) {
      const form = new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: await assertion(account, now()),
      })
      const type = { 'content-type': 'application/x-www-form-urlencoded' }
      const call = {
        method: 'POST',
        url: account.tokenUri,
        headers: type,
        body: form.toString(),
        signal,
      }
      token = String((await api.json(call))['access_token'] ?? '')
      tokenUntil = now() + (TOKEN_S - 300) * 1000
    }
    return bearer(token)
  }
}

// What of the service is used.
function zonesOf(tools: ProviderTools, headers: HeadersOf, project: string) {
  const { environment, transport, pause } = tools
  const onlyZone = environment.text('GCE_ZONE_ID')
  const mayBePrivate = environment.text('GCE_ALLOW_PRIVATE_ZONE') === 'true'
  const zones = `${BASE}/${encodeURIComponent(project)}/managedZones`
  const api = new Api(transport, 'gcloud')
  async function zoneOf(name: string, signal: AbortSignal): Promise<string> {
    if (onlyZone !== '') return onlyZone
    for (const zone of suffixesOf(name).slice(0, -1)) {
      const url = `${zones}?dnsName=${encodeURIComponent(`${zone}.`)}`
      const body = await api.json({ method: 'GET', url, headers: await headers(signal), signal })
      const found = objectsIn(body['managedZones']).find(
        (one) => mayBePrivate || one['visibility'] !== 'private',
      )
      if (found !== undefined) return String(found['name'])
    }
    throw new Error(`gcloud: project ${project} has no zone that ${name} is in`)
  }

  async function setOf(zone: string, name: string, signal: AbortSignal): Promise<RecordSet | null> {
    const query = `name=${encodeURIComponent(`${name}.`)}&type=TXT`
    const url = `${zones}/${encodeURIComponent(zone)}/rrsets?${query}`
    const body = await api.json({ method: 'GET', url, headers: await headers(signal), signal })
    const [found] = objectsIn(body['rrsets'])
    if (found === undefined) return null
    const rrdatas = Array.isArray(found['rrdatas']) ? found['rrdatas'].map(String) : []
    return { name: `${name}.`, type: 'TXT', ttl: Number(found['ttl']), rrdatas }
  }

  async function change(
    zone: string,
    before: RecordSet | null,
    after: RecordSet | null,
    signal: AbortSignal,
  ): Promise<void> {
    const url = `${zones}/${encodeURIComponent(zone)}/changes`
    const body = {
      deletions: before === null ? [] : [before],
      additions: after === null ? [] : [after],
    }
    let made = await api.json({ method: 'POST', url, headers: await headers(signal), body, signal })
    const id = encodeURIComponent(String(made['id'] ?? ''))
    for (let i = 0; made['status'] === 'pending' && i < POLLS_MAX; i++) {
      await pause(POLL_MS, signal)
      made = await api.json({
        method: 'GET',
        url: `${url}/${id}`,
        headers: await headers(signal),
        signal,
      })
    }
  }

  return { zoneOf, setOf, change }
}

export function gcloud(tools: ProviderTools): DnsProvider {
  const { environment } = tools
  const account = accountOf(environment)
  const project = environment.text('GCE_PROJECT') || account.project
  const ttl = environment.number(120, 'GCE_TTL')
  const { zoneOf, setOf, change } = zonesOf(tools, tokenHeaders(tools, account), project)
  return {
    ...environment.times('GCE', 180, 5),
    async present({ name, value }, signal) {
      const zone = await zoneOf(name, signal)
      const before = await setOf(zone, name, signal)
      const rrdatas = [...new Set([...(before?.rrdatas ?? []), `"${value}"`])]
      await change(zone, before, { name: `${name}.`, type: 'TXT', ttl, rrdatas }, signal)
    },
    async cleanup({ name, value }, signal) {
      const zone = await zoneOf(name, signal)
      const before = await setOf(zone, name, signal)
      const rrdatas = before?.rrdatas.filter((one) => one !== `"${value}"` && one !== value) ?? []
      if (before === null || rrdatas.length === before.rrdatas.length) return
      await change(zone, before, rrdatas.length === 0 ? null : { ...before, rrdatas }, signal)
    },
  }
}

function accountOf(environment: Environment): ServiceAccount {
  const path = environment.text('GOOGLE_APPLICATION_CREDENTIALS')
  const text = environment.text('GCE_SERVICE_ACCOUNT') || (path && readFileSync(path, 'utf8'))
  if (text === '') return environment.needed('GCE_SERVICE_ACCOUNT') as never
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('gcloud: the service account is not JSON') // the parser would quote the key
  }
  const fields = isObject(value) ? value : {}
  const email = String(fields['client_email'] ?? '')
  const key = String(fields['private_key'] ?? '')
  if (email === '' || key === '')
    throw new Error('gcloud: the service account has no email or no key')
  const tokenUri = String(fields['token_uri'] ?? 'https://oauth2.googleapis.com/token')
  return { email, key, tokenUri, project: String(fields['project_id'] ?? '') }
}

async function assertion(account: ServiceAccount, nowMs: number): Promise<string> {
  const seconds = Math.floor(nowMs / 1000)
  return new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
    .setIssuer(account.email)
    .setAudience(account.tokenUri)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + TOKEN_S)
    .sign(await importPKCS8(account.key, 'RS256'))
}
