// certificates/dns-providers/azuredns.ts: Azure DNS, API 2018-05-01, as an application with a secret (OAuth 2.0).
// Identities of machines are not looked up. Hot: no.

import { isObject } from '../http.ts'
import { suffixesOf } from '../dns/lookup.ts'
import { Api, ApiError, bearer, objectsIn, relativeName } from './api.ts'
import type { DnsProvider, ProviderTools } from './contract.ts'
import type { Environment } from './environment.ts'

const VERSION = 'api-version=2018-05-01'

// Of each environment: where tokens come from, and where resources are managed.
const places: Readonly<Record<string, readonly [string, string]>> = {
  public: ['https://login.microsoftonline.com', 'https://management.azure.com'],
  china: ['https://login.chinacloudapi.cn', 'https://management.chinacloudapi.cn'],
  usgovernment: ['https://login.microsoftonline.us', 'https://management.usgovcloudapi.net'],
}

interface RecordSet {
  readonly values: readonly string[]
  readonly etag: string // '' when there is none yet
}

type HeadersOf = (signal: AbortSignal) => Promise<Record<string, string>>

interface Place {
  readonly login: string
  readonly management: string
}

function placeOf(environment: Environment): Place {
  const place = places[environment.text('AZURE_ENVIRONMENT').toLowerCase() || 'public']
  if (place === undefined) throw new Error('azuredns: AZURE_ENVIRONMENT is none that is known')
  return { login: place[0], management: place[1] }
}

// A token is asked for when it is needed first, and again before it ends.
function tokenHeaders({ environment, transport, now }: ProviderTools, place: Place): HeadersOf {
  const client = environment.needed('AZURE_CLIENT_ID')
  const secret = environment.needed('AZURE_CLIENT_SECRET')
  const tenant = environment.needed('AZURE_TENANT_ID')
  const { login, management } = place
  const api = new Api(transport, 'azuredns')
  let token = ''
  let tokenUntil = 0

  return async (signal) => {
    if (token === '' || now() > tokenUntil) {
      const form = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: client,
        client_secret: secret,
        scope: `${management}/.default`,
      })
      const url = `${login}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`
      const type = { 'content-type': 'application/x-www-form-urlencoded' }
      const body = await api.json({
        method: 'POST',
        url,
        headers: type,
        body: form.toString(),
        signal,
      })
      token = String(body['access_token'] ?? '')
      tokenUntil = now() + Math.max(0, Number(body['expires_in'] ?? 0) - 60) * 1000
    }
    return bearer(token)
  }
}

// What of the service is used.
function setsOf({ environment, transport }: ProviderTools, management: string, headers: HeadersOf) {
  const subscription = environment.needed('AZURE_SUBSCRIPTION_ID')
  const group = environment.text('AZURE_RESOURCE_GROUP')
  const onlyZone = environment.text('AZURE_ZONE_NAME')
  const ttl = environment.number(60, 'AZURE_TTL')
  const api = new Api(transport, 'azuredns')

  async function zoneOf(name: string, signal: AbortSignal): Promise<{ id: string; zone: string }> {
    const within = group === '' ? '' : `/resourceGroups/${encodeURIComponent(group)}`
    const path = `/subscriptions/${encodeURIComponent(subscription)}${within}`
    const listed = new Map<string, string>() // name -> id
    let url = `${management}${path}/providers/Microsoft.Network/dnsZones?${VERSION}`
    for (let page = 0; url !== '' && page < 50; page++) {
      const body = await api.json({ method: 'GET', url, headers: await headers(signal), signal })
      for (const one of objectsIn(body['value']))
        listed.set(String(one['name']).toLowerCase(), String(one['id']))
      url = nextOf(body['nextLink'], management)
    }
    const wanted = onlyZone === '' ? suffixesOf(name) : [onlyZone.toLowerCase()]
    const zone = wanted.find((one) => listed.has(one))
    if (zone === undefined) throw new Error(`azuredns: there is no zone that ${name} is in`)
    return { id: listed.get(zone)!, zone }
  }

  async function urlOf(name: string, signal: AbortSignal): Promise<string> {
    const { id, zone } = await zoneOf(name, signal)
    return `${management}${id}/TXT/${encodeURIComponent(relativeName(name, zone))}?${VERSION}`
  }

  async function read(url: string, signal: AbortSignal): Promise<RecordSet> {
    try {
      const body = await api.json({ method: 'GET', url, headers: await headers(signal), signal })
      const properties = isObject(body['properties']) ? body['properties'] : {}
      const values = objectsIn(properties['TXTRecords']).map(({ value }) =>
        Array.isArray(value) ? value.join('') : String(value),
      )
      return { values, etag: String(body['etag'] ?? '') }
    } catch (fault) {
      if (fault instanceof ApiError && fault.status === 404) return { values: [], etag: '' }
      throw fault
    }
  }

  // Refused (412) when somebody else has changed the set since it was read.
  async function write(url: string, set: RecordSet, signal: AbortSignal): Promise<void> {
    const guard: Record<string, string> =
      set.etag === '' ? { 'if-none-match': '*' } : { 'if-match': set.etag }
    const all = { ...(await headers(signal)), ...guard }
    if (set.values.length === 0) {
      await api.send({ method: 'DELETE', url, headers: all, signal })
      return
    }
    const body = {
      properties: { TTL: ttl, TXTRecords: set.values.map((value) => ({ value: [value] })) },
    }
    await api.send({ method: 'PUT', url, headers: all, body, signal })
  }

  return { urlOf, read, write }
}

export function azuredns(tools: ProviderTools): DnsProvider {
  const { environment } = tools
  const place = placeOf(environment)
  const { urlOf, read, write } = setsOf(tools, place.management, tokenHeaders(tools, place))
  return {
    ...environment.times('AZURE', 120, 2),
    async present({ name, value }, signal) {
      const url = await urlOf(name, signal)
      const set = await read(url, signal)
      await write(url, { ...set, values: [...new Set([...set.values, value])] }, signal)
    },
    async cleanup({ name, value }, signal) {
      const url = await urlOf(name, signal)
      const set = await read(url, signal)
      const values = set.values.filter((one) => one !== value)
      if (values.length < set.values.length) await write(url, { ...set, values }, signal)
    },
  }
}

// A token must not be sent to another host because an answer says so.
function nextOf(link: unknown, management: string): string {
  return typeof link === 'string' && link.startsWith(`${management}/`) ? link : ''
}
