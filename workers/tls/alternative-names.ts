// workers/tls/alternative-names.ts: the names of a certificate, out of the text that Node makes of them.
//
// 'DNS:a.example, URI:spiffe://x/y, IP Address:192.0.2.1'; a value that holds a comma, a quote or a control byte
// comes as a JSON string (after CVE-2021-44532), so a name can't pretend to be two. Names with NUL are dropped.

export interface AlternativeName {
  readonly type: 'dns' | 'uri' | 'ip' | 'email' | 'other'
  readonly value: string
}

const NAMES_MAX = 1000

export function alternativeNames(text: string): AlternativeName[] {
  const names: AlternativeName[] = []
  let at = 0
  while (at < text.length && names.length < NAMES_MAX) {
    const colon = text.indexOf(':', at)
    if (colon < 0) return []
    const end = endOfValue(text, colon + 1)
    if (end < 0) return []
    const value = valueOf(text.slice(colon + 1, end))
    if (value === null) return []
    if (!value.includes('\0')) names.push({ type: typeOf(text.slice(at, colon)), value })
    at = end + 2 // ', '
  }
  return names
}

function typeOf(label: string): AlternativeName['type'] {
  if (label === 'DNS') return 'dns'
  if (label === 'URI') return 'uri'
  if (label === 'IP Address') return 'ip'
  return label === 'email' ? 'email' : 'other'
}

// -1: a string without an end.
function endOfValue(text: string, from: number): number {
  if (text[from] !== '"') {
    const comma = text.indexOf(', ', from)
    return comma < 0 ? text.length : comma
  }
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return -1
}

function valueOf(text: string): string | null {
  if (!text.startsWith('"')) return text
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}
