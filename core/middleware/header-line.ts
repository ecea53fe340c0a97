// core/middleware/header-line.ts: header lines that configuration asks for, checked once when they are built.
//
// Hot: applying them is; reading them is not. Config refuses names and values that may not be sent; here
// they are left out once more, because a CR LF that slips through would split a request in two.

import { headerIdOf, HOST, UNKNOWN } from '../header-ids.ts'
import type { Head, HeaderLine } from '../headers.ts'
import { isFieldValue, isToken } from '../h1/text.ts'
import { bytesOfText } from '../percent.ts'

export type { HeaderLine } from '../headers.ts'

// The framing of a message belongs to the codec: a configured Content-Length, or one removed, would let
// two servers disagree about where a message ends (RFC 9112, section 6.3). Connection headers go with it.
const framing = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
  'expect',
])

export function isFraming(name: string): boolean {
  return framing.has(name.toLowerCase())
}

// null for a line that may not be sent.
export function headerLine(name: string, value: string): HeaderLine | null {
  const bytes = bytesOfText(value.trim())
  if (!isToken(name) || isFraming(name) || !isFieldValue(bytes)) return null
  const lower = name.toLowerCase()
  return { name, lower, id: headerIdOf(lower), value: bytes, text: `${name}: ${bytes}\r\n` }
}

// The legal lines of a map of configuration; null when there are none.
export function headerLines(map: Readonly<Record<string, string>>): readonly HeaderLine[] | null {
  const lines: HeaderLine[] = []
  for (const [name, value] of Object.entries(map)) {
    const line = headerLine(name, value)
    if (line !== null) lines.push(line)
  }
  return lines.length === 0 ? null : lines
}

export function isHost(line: HeaderLine): boolean {
  return line.id === HOST
}

export function applyLine(head: Head, line: HeaderLine): void {
  if (line.id === UNKNOWN || head.extraCount > 0) head.removeNamed(line.lower, line.id)
  else head.removeId(line.id)
  if (line.value !== '') head.addLine(line)
}

export function describeLine(line: HeaderLine): string {
  return line.value === '' ? `removes ${line.name}` : `sets ${line.name}`
}
