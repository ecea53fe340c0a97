// core/access-log/line.ts: an exchange that has ended, as one line of text.
//
// Owner:  nobody; pure. The caller gives the times, because there is no clock here.
// Hot:    yes, when the access log is on.

import { errorTable } from '../errors.ts'
import type { DistinguishedName, Exchange, TlsFacts } from '../exchange.ts'
import { hostOf, portOf, targetOf } from './address.ts'
import { clfText, clfWord, jsonText } from './escape.ts'
import type { FieldName } from './fields.ts'
import { headerFields } from './headers.ts'
import type { LineSettings } from './settings.ts'

// What the exchange does not know of itself.
export interface LineFacts {
  now: number // on the clock of exchange.startedAt
  requestCount: number
  startUtc: string // RFC 3339
  startLocal: string
  startClf: string // 02/Jan/2026:15:04:05 +0000
  endUtc: string
  serviceName: string // '' when the request reached none
}

// Any filter that matches keeps the line; without filters every line is kept.
export function isKept(settings: LineSettings, exchange: Exchange, now: number): boolean {
  if (!settings.filters) return true
  if (settings.retryAttempts && exchange.retries > 0) return true
  if (settings.minDurationMs > 0 && now - exchange.startedAt >= settings.minDurationMs) return true
  for (const [low, high] of settings.statusCodes) {
    if (exchange.status >= low && exchange.status <= high) return true
  }
  return false
}

export function lineOf(settings: LineSettings, exchange: Exchange, facts: LineFacts): string {
  if (settings.format === 'json') return jsonLine(settings, exchange, facts)
  return clfLine(settings, exchange, facts)
}

function clfLine(settings: LineSettings, exchange: Exchange, facts: LineFacts): string {
  const { keeps } = settings
  const method = keeps.RequestMethod ? clfWord(exchange.method) : '-'
  const path = keeps.RequestPath ? clfWord(targetOf(exchange, settings.query)) : '-'
  const protocol = keeps.RequestProtocol ? protocolOf(exchange) : '-'
  const status = keeps.DownstreamStatus ? exchange.status : '-'
  const size = keeps.DownstreamContentSize ? exchange.responseBytes : '-'
  const head =
    `${keeps.ClientHost ? clfWord(clientHost(exchange)) : '-'} - ` +
    `${keeps.ClientUsername ? clfWord(exchange.user) : '-'} ` +
    `[${keeps.StartUTC ? facts.startClf : '-'}] "${method} ${path} ${protocol}" ${status} ${size} ` +
    `"${headerWord(settings, exchange, 'referer')}" "${headerWord(settings, exchange, 'user-agent')}"`
  if (settings.format === 'genericCLF') return head + '\n'
  const duration = Math.floor(facts.now - exchange.startedAt)
  return (
    `${head} ${keeps.RequestCount ? facts.requestCount : '-'} ` +
    `"${keeps.RouterName ? clfOr(exchange.route?.name) : '-'}" ` +
    `"${keeps.ServiceURL ? clfOr(exchange.serverUrl) : '-'}" ` +
    `${keeps.Duration ? duration : '-'}ms\n`
  )
}

function clfOr(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : clfText(text)
}

// Referer and User-Agent belong to the format; only a mode that names them takes them away.
function headerWord(settings: LineSettings, exchange: Exchange, name: string): string {
  const value = exchange.request.get(name)
  if (value === null) return '-'
  return settings.headers?.of(name) === 'redact' ? 'REDACTED' : clfText(value)
}

function jsonLine(settings: LineSettings, exchange: Exchange, facts: LineFacts): string {
  let line = '{'
  const { kept, keys } = settings
  for (let i = 0; i < kept.length; i++) {
    const value = jsonValue(kept[i]!, settings, exchange, facts)
    if (value !== '') line += keys[i]! + value + ','
  }
  if (settings.headers !== null) line += headerFields(settings.headers, exchange)
  return line + '"level":"info","msg":"","time":"' + facts.endUtc + '"}\n'
}

// The value as it stands in JSON; '' when the field does not apply to this exchange.
function jsonValue(
  name: FieldName,
  settings: LineSettings,
  exchange: Exchange,
  facts: LineFacts,
): string {
  switch (name) {
    case 'StartUTC':
      return '"' + facts.startUtc + '"'
    case 'StartLocal':
      return '"' + facts.startLocal + '"'
    case 'Duration':
      return nanoseconds(facts.now - exchange.startedAt)
    case 'OriginDuration':
      return nanoseconds(originMs(exchange, facts.now))
    case 'Overhead':
      return nanoseconds(facts.now - exchange.startedAt - originMs(exchange, facts.now))
    case 'RequestPath':
      return jsonText(targetOf(exchange, settings.query))
    case 'RequestCount':
      return String(facts.requestCount)
    case 'ServiceName':
      return given(facts.serviceName)
    default:
      return jsonNumber(name, exchange) || jsonName(name, exchange)
  }
}

function jsonNumber(name: FieldName, exchange: Exchange): string {
  switch (name) {
    case 'RequestContentSize':
      return String(exchange.requestBytes)
    case 'OriginContentSize':
      return cameFromServer(exchange) ? String(exchange.responseBytes) : ''
    case 'OriginStatus':
      return cameFromServer(exchange) ? String(exchange.status) : ''
    case 'DownstreamStatus':
      return String(exchange.status)
    case 'DownstreamContentSize':
      return String(exchange.responseBytes)
    case 'RetryAttempts':
      return String(exchange.retries)
    default:
      return ''
  }
}

function jsonName(name: FieldName, exchange: Exchange): string {
  switch (name) {
    case 'RouterName':
      return given(exchange.route === null ? '' : exchange.route.name)
    case 'ServiceURL':
      return given(exchange.serverUrl)
    case 'ServiceAddr':
      return given(withoutScheme(exchange.serverUrl))
    case 'ClientAddr':
      return jsonText(addressOf(exchange))
    case 'ClientHost':
      return jsonText(clientHost(exchange))
    case 'ClientPort':
      return '"' + exchange.clientPort + '"'
    case 'ClientUsername':
      return jsonText(exchange.user || '-')
    case 'SluiceError':
      return exchange.error === 0 ? '' : given(errorTable[exchange.error]!.name)
    case 'entryPointName':
      return jsonText(exchange.entryPoint)
    default:
      return jsonRequest(name, exchange)
  }
}

function jsonRequest(name: FieldName, exchange: Exchange): string {
  switch (name) {
    case 'RequestAddr':
      return jsonText(exchange.authority)
    case 'RequestHost':
      return jsonText(hostOf(exchange.authority))
    case 'RequestPort':
      return jsonText(portOf(exchange.authority) || '-')
    case 'RequestMethod':
      return jsonText(exchange.method)
    case 'RequestProtocol':
      return '"' + protocolOf(exchange) + '"'
    case 'RequestScheme':
      return exchange.secure ? '"https"' : '"http"'
    default:
      return exchange.tls === null ? '' : jsonTls(name, exchange.tls)
  }
}

function jsonTls(name: FieldName, tls: TlsFacts): string {
  switch (name) {
    case 'TLSVersion':
      return jsonText(tls.version.replace(/^TLSv/, ''))
    case 'TLSCipher':
      return jsonText(tls.cipher)
    case 'TLSClientSubject':
      return tls.client === null ? '' : jsonText(subjectOf(tls.client.subject))
    default:
      return ''
  }
}

// 'CN=client,O=Example': the most specific part first, as Go and Traefik write it.
function subjectOf(subject: DistinguishedName): string {
  const parts: string[] = []
  for (const [key, values] of Object.entries(subject)) {
    for (const value of values) parts.push(`${key}=${value.replace(/[,+"\\<>;]/g, '\\$&')}`)
  }
  return parts.reverse().join(',')
}

function protocolOf(exchange: Exchange): string {
  if (exchange.http2) return 'HTTP/2.0'
  return exchange.versionMinor === 0 ? 'HTTP/1.0' : 'HTTP/1.1'
}

function given(text: string): string {
  return text === '' ? '' : jsonText(text)
}

function withoutScheme(url: string): string {
  const at = url.indexOf('://')
  if (at < 0) return url
  const end = url.indexOf('/', at + 3)
  return url.startsWith('unix:') || end < 0 ? url.slice(at + 3) : url.slice(at + 3, end)
}

function addressOf(exchange: Exchange): string {
  const { clientAddress, clientPort } = exchange
  return clientAddress.includes(':')
    ? `[${clientAddress}]:${clientPort}`
    : `${clientAddress}:${clientPort}`
}

// What an untrusted peer claims was dropped from the head before it was routed.
function clientHost(exchange: Exchange): string {
  return exchange.request.get('x-forwarded-for') ?? exchange.clientAddress
}

function cameFromServer(exchange: Exchange): boolean {
  return exchange.upstreamHeadAt > 0
}

function originMs(exchange: Exchange, now: number): number {
  return exchange.upstreamStartedAt > 0 ? now - exchange.upstreamStartedAt : 0
}

function nanoseconds(ms: number): string {
  return String(Math.max(0, Math.round(ms * 1e6)))
}
