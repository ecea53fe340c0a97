// certificates/dns-providers/digitalocean.ts: DigitalOcean, API v2. Hot: no.

import { suffixesOf } from '../dns/lookup.ts'
import { Api, ApiError, bearer, relativeName } from './api.ts'
import type { DnsProvider, ProviderTools, TxtRecord } from './contract.ts'

export function digitalocean({ environment, transport }: ProviderTools): DnsProvider {
  const headers = bearer(environment.needed('DO_AUTH_TOKEN'))
  const base = environment.url('https://api.digitalocean.com', 'DO_API_URL')
  const ttl = environment.number(30, 'DO_TTL')
  const api = new Api(transport, 'digitalocean')
  const records = new Map<TxtRecord, string>()

  async function zoneOf(name: string, signal: AbortSignal): Promise<string> {
    for (const zone of suffixesOf(name).slice(0, -1)) {
      try {
        await api.send({ method: 'GET', url: `${base}/v2/domains/${zone}`, headers, signal })
        return zone
      } catch (fault) {
        if (!(fault instanceof ApiError) || fault.status !== 404) throw fault
      }
    }
    throw new Error(`digitalocean: the account has no domain that ${name} is in`)
  }

  return {
    ...environment.times('DO', 60, 5),
    async present(record, signal) {
      const zone = await zoneOf(record.name, signal)
      const url = `${base}/v2/domains/${zone}/records`
      const body = { type: 'TXT', name: relativeName(record.name, zone), data: record.value, ttl }
      const made = await api.json({ method: 'POST', url, headers, body, signal })
      const result = made['domain_record']
      const id = typeof result === 'object' && result !== null && 'id' in result ? result.id : ''
      records.set(record, `${url}/${encodeURIComponent(String(id))}`)
    },
    async cleanup(record, signal) {
      const url = records.get(record)
      if (url === undefined) return
      records.delete(record)
      await api.send({ method: 'DELETE', url, headers, signal })
    },
  }
}
