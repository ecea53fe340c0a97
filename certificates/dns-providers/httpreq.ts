// certificates/dns-providers/httpreq.ts: a webhook of the operator: POST <endpoint>/present and /cleanup. Hot: no.

import { Buffer } from 'node:buffer'
import { Api } from './api.ts'
import type { DnsProvider, ProviderTools, TxtRecord } from './contract.ts'

export function httpreq({ environment, transport }: ProviderTools): DnsProvider {
  environment.needed('HTTPREQ_ENDPOINT')
  const endpoint = environment.url('', 'HTTPREQ_ENDPOINT')
  const isRaw = environment.text('HTTPREQ_MODE') === 'RAW'
  const user = environment.text('HTTPREQ_USERNAME')
  const password = environment.text('HTTPREQ_PASSWORD')
  const encoded = Buffer.from(`${user}:${password}`).toString('base64')
  const headers = user === '' ? {} : { authorization: `Basic ${encoded}` }
  const api = new Api(transport, 'httpreq')

  function bodyOf(record: TxtRecord): object {
    const { domain, token, keyAuthorization, name, value } = record
    return isRaw ? { domain, token, keyAuth: keyAuthorization } : { fqdn: `${name}.`, value }
  }

  async function call(path: string, record: TxtRecord, signal: AbortSignal): Promise<void> {
    const url = `${endpoint}/${path}`
    await api.send({ method: 'POST', url, headers, body: bodyOf(record), signal })
  }

  return {
    ...environment.times('HTTPREQ', 60, 2),
    present: (record, signal) => call('present', record, signal),
    cleanup: (record, signal) => call('cleanup', record, signal),
  }
}
