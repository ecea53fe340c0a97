// certificates/dns-providers/route53.ts: Amazon Route 53, API 2013-04-01 (XML), signed with Signature Version 4.
//
// Route 53 changes a name's whole set of values at once, so it is read first: another order may have one there.
// Credentials are those of the environment; roles of machines and profiles are not looked up. Hot: no.

import type { HttpResponse } from '../http.ts'
import { suffixesOf } from '../dns/lookup.ts'
import { type AwsCredentials, signV4 } from './aws-signature.ts'
import type { DnsProvider, ProviderTools } from './contract.ts'

const SYNC_POLL_MS = 2000
const SYNC_POLLS_MAX = 60

type Call = (method: string, path: string, body: string, signal: AbortSignal) => Promise<string>

function caller({ environment, transport, now }: ProviderTools): Call {
  const credentials: AwsCredentials = {
    accessKeyId: environment.needed('AWS_ACCESS_KEY_ID'),
    secretAccessKey: environment.needed('AWS_SECRET_ACCESS_KEY'),
    sessionToken: environment.text('AWS_SESSION_TOKEN'),
  }
  const names = ['AWS_ENDPOINT_URL_ROUTE_53', 'AWS_ENDPOINT_URL']
  const base = `${environment.url('https://route53.amazonaws.com', ...names)}/2013-04-01`
  return async (method, path, body, signal) => {
    const request = { method, url: `${base}/${path}`, body }
    const headers = signV4(request, credentials, 'route53', now())
    const sent = body === '' ? {} : { body }
    const response = await transport({ method, url: request.url, headers, ...sent, signal })
    if (response.status === 200) return response.body.toString('utf8')
    throw new Error(`route53: ${method} ${path.split('?')[0]}: ${reasonIn(response)}`)
  }
}

// What of the service is used.
function zonesOf({ environment, pause }: ProviderTools, call: Call) {
  const hostedZone = environment.text('AWS_HOSTED_ZONE_ID')
  const ttl = environment.number(10, 'AWS_TTL')

  async function zoneOf(name: string, signal: AbortSignal): Promise<string> {
    if (hostedZone !== '') return hostedZone.replace(/^\/hostedzone\//, '')
    for (const zone of suffixesOf(name).slice(0, -1)) {
      const xml = await call(
        'GET',
        `hostedzonesbyname?dnsname=${encodeURIComponent(zone)}`,
        '',
        signal,
      )
      const found = blocksOf(xml, 'HostedZone').find(
        (one) => textIn(one, 'Name') === `${zone}.` && textIn(one, 'PrivateZone') !== 'true',
      )
      if (found !== undefined) return textIn(found, 'Id').replace(/^\/hostedzone\//, '')
    }
    throw new Error(`route53: the account has no public zone that ${name} is in`)
  }

  async function valuesOf(
    zone: string,
    name: string,
    signal: AbortSignal,
  ): Promise<{ values: string[]; ttl: string }> {
    const query = `name=${encodeURIComponent(`${name}.`)}&type=TXT&maxitems=1`
    const xml = await call(
      'GET',
      `hostedzone/${encodeURIComponent(zone)}/rrset?${query}`,
      '',
      signal,
    )
    const [set = ''] = blocksOf(xml, 'ResourceRecordSet')
    const isIt = textIn(set, 'Name').toLowerCase() === `${name}.` && textIn(set, 'Type') === 'TXT'
    return isIt
      ? { values: blocksOf(set, 'Value').map(unescaped), ttl: textIn(set, 'TTL') }
      : { values: [], ttl: String(ttl) }
  }

  async function change(
    zone: string,
    action: 'UPSERT' | 'DELETE',
    name: string,
    set: { values: readonly string[]; ttl: string },
    signal: AbortSignal,
  ): Promise<void> {
    const path = `hostedzone/${encodeURIComponent(zone)}/rrset/`
    const xml = await call('POST', path, changeXml(action, name, set), signal)
    const id = textIn(xml, 'Id').replace(/^\/change\//, '')
    let status = textIn(xml, 'Status')
    for (let i = 0; status === 'PENDING' && i < SYNC_POLLS_MAX; i++) {
      await pause(SYNC_POLL_MS, signal)
      status = textIn(await call('GET', `change/${encodeURIComponent(id)}`, '', signal), 'Status')
    }
  }

  return { zoneOf, valuesOf, change, ttl: String(ttl) }
}

export function route53(tools: ProviderTools): DnsProvider {
  const { zoneOf, valuesOf, change, ttl } = zonesOf(tools, caller(tools))
  return {
    ...tools.environment.times('AWS', 120, 4),
    async present({ name, value }, signal) {
      const zone = await zoneOf(name, signal)
      const { values } = await valuesOf(zone, name, signal)
      const all = [...new Set([...values, `"${value}"`])]
      await change(zone, 'UPSERT', name, { values: all, ttl }, signal)
    },
    async cleanup({ name, value }, signal) {
      const zone = await zoneOf(name, signal)
      const set = await valuesOf(zone, name, signal)
      const left = set.values.filter((one) => one !== `"${value}"`)
      if (left.length === set.values.length) return
      if (left.length > 0) await change(zone, 'UPSERT', name, { ...set, values: left }, signal)
      else await change(zone, 'DELETE', name, set, signal) // must name exactly what is there
    },
  }
}

function changeXml(
  action: string,
  name: string,
  set: { readonly values: readonly string[]; readonly ttl: string },
): string {
  const values = set.values.map(
    (one) => `<ResourceRecord><Value>${escaped(one)}</Value></ResourceRecord>`,
  )
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">',
    `<ChangeBatch><Changes><Change><Action>${action}</Action><ResourceRecordSet>`,
    `<Name>${escaped(name)}.</Name><Type>TXT</Type><TTL>${set.ttl}</TTL>`,
    `<ResourceRecords>${values.join('')}</ResourceRecords>`,
    '</ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>',
  ].join('')
}

// ---- XML of this one service: elements without attributes that matter, none within another of its name.

function blocksOf(xml: string, tag: string): string[] {
  return [...xml.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(
    (match) => match[1]!,
  )
}

function textIn(xml: string, tag: string): string {
  return unescaped(blocksOf(xml, tag)[0] ?? '')
}

function unescaped(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#34;', '"')
    .replaceAll('&amp;', '&')
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

function reasonIn(response: HttpResponse): string {
  const xml = response.body.toString('utf8')
  return `${response.status} ${textIn(xml, 'Code')} ${textIn(xml, 'Message')}`.trim().slice(0, 300)
}
