// certificates/dns-providers/cloudflare.ts: Cloudflare, API v4, by token or by key and email. Hot: no.

import { suffixesOf } from '../dns/lookup.ts'
import { Api, bearer, objectsIn } from './api.ts'
import type { DnsProvider, ProviderTools, TxtRecord } from './contract.ts'
import type { Environment } from './environment.ts'

type Headers = Readonly<Record<string, string>>

export function cloudflare({ environment, transport }: ProviderTools): DnsProvider {
  const base = environment.url('https://api.cloudflare.com/client/v4', 'CLOUDFLARE_BASE_URL')
  const ttl = environment.number(120, 'CLOUDFLARE_TTL')
  const { zoneHeaders, dnsHeaders } = credentials(environment)
  const api = new Api(transport, 'cloudflare')
  const records = new Map<TxtRecord, string>() // URLs of what was made

  async function zoneOf(name: string, signal: AbortSignal): Promise<string> {
    for (const zone of suffixesOf(name).slice(0, -1)) {
      const url = `${base}/zones?name=${encodeURIComponent(zone)}`
      const body = await api.json({ method: 'GET', url, headers: zoneHeaders, signal })
      const [found] = objectsIn(body['result'])
      if (found !== undefined) return String(found['id'])
    }
    throw new Error(`cloudflare: the account has no zone that ${name} is in`)
  }

  return {
    ...environment.times('CLOUDFLARE', 120, 2),
    async present(record, signal) {
      const url = `${base}/zones/${encodeURIComponent(await zoneOf(record.name, signal))}/dns_records`
      const content = `"${record.value}"`
      const body = { type: 'TXT', name: record.name, content, ttl }
      const made = await api.json({ method: 'POST', url, headers: dnsHeaders, body, signal })
      const result = made['result']
      const id = typeof result === 'object' && result !== null && 'id' in result ? result.id : ''
      records.set(record, `${url}/${encodeURIComponent(String(id))}`)
    },
    async cleanup(record, signal) {
      const url = records.get(record)
      if (url === undefined) return
      records.delete(record)
      await api.send({ method: 'DELETE', url, headers: dnsHeaders, signal })
    },
  }
}

function credentials(environment: Environment): { zoneHeaders: Headers; dnsHeaders: Headers } {
  const token = environment.text('CF_DNS_API_TOKEN', 'CLOUDFLARE_DNS_API_TOKEN')
  if (token !== '') {
    const zone = environment.text('CF_ZONE_API_TOKEN', 'CLOUDFLARE_ZONE_API_TOKEN')
    return { zoneHeaders: bearer(zone || token), dnsHeaders: bearer(token) }
  }
  const headers = {
    'x-auth-email': environment.needed('CF_API_EMAIL', 'CLOUDFLARE_EMAIL'),
    'x-auth-key': environment.needed('CF_API_KEY', 'CLOUDFLARE_API_KEY'),
  }
  return { zoneHeaders: headers, dnsHeaders: headers }
}
