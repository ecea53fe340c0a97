// test/conformance/traefik/compare.ts: where what two gateways did with one request differs, part by part.
//
// Names of headers have no case and no order among each other; dates and remaining times are masked; compressed bodies
// are compared unpacked.

import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Response } from '../../support/raw-client.ts'
import type { Served } from './origins.ts'
import type { Seen } from './pair.ts'

// part: "status", "reason", "body", "interim", "header NAME" of the answer; "requests": which servers were asked;
// "request N line", "request N body", "request N header NAME" of what they got.
export interface Difference {
  readonly part: string
  readonly traefik: string
  readonly sluice: string
}

export const ABSENT = '(none)'

export function differencesOf(traefik: Seen, sluice: Seen): Difference[] {
  const one = partsOf(traefik)
  const other = partsOf(sluice)
  return [...new Set([...one.keys(), ...other.keys()])]
    .map((part) => ({
      part,
      traefik: one.get(part) ?? ABSENT,
      sluice: other.get(part) ?? ABSENT,
    }))
    .filter((found) => found.traefik !== found.sluice)
}

export function partsOf({ interim, answer, served }: Seen): Map<string, string> {
  const parts = new Map<string, string>([['interim', interim.join(' ')]])
  parts.set('status', answer === null ? 'no answer' : String(answer.status))
  if (answer !== null) answerParts(answer, parts)
  parts.set('requests', served.map(({ origin }) => origin).join(' '))
  served.forEach((request, index) => requestParts(request, `request ${index + 1}`, parts))
  return parts
}

function answerParts(answer: Response, parts: Map<string, string>): void {
  parts.set('reason', answer.reason)
  parts.set('body', bodyOf(answer))
  if (answer.trailers.length > 0) parts.set('trailers', answer.trailers.join('\n').toLowerCase())
  const isPacked = answer.headers.has('content-encoding')
  for (const [name, value] of linesByName(answer.lines)) {
    if (name === 'content-length' && isPacked) continue // as long as the encoder makes it
    if (name === 'transfer-encoding' && isPacked) continue
    parts.set(`header ${name}`, masked(name, value))
  }
}

function requestParts({ line, headers, body }: Served, name: string, parts: Map<string, string>) {
  parts.set(`${name} line`, line)
  parts.set(`${name} body`, body)
  for (const [header, value] of linesByName(headers)) parts.set(`${name} header ${header}`, value)
}

function linesByName(lines: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = found.get(name)
    found.set(name, before === undefined ? value : `${before} | ${value}`)
  }
  return found
}

function masked(name: string, value: string): string {
  if (name === 'date') return 'a date'
  if (name === 'x-retry-in') return value.replace(/[\d.]+(?=(?:s|ms|µs|Âµs)$)/, 'N')
  return value
}

function bodyOf({ body, headers }: Response): string {
  if (body === '') return ''
  const bytes = Buffer.from(body, 'latin1')
  switch (headers.get('content-encoding')) {
    case 'gzip':
      return gunzipSync(bytes).latin1Slice()
    case 'br':
      return brotliDecompressSync(bytes).latin1Slice()
    case 'zstd':
      return zstdDecompressSync(bytes).latin1Slice()
    default:
      return body
  }
}
