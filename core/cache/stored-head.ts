// core/cache/stored-head.ts: the head of a response as it is kept, and how it is put back into an exchange.
//
// Kept as text with positions, like every Head: serving it copies two small arrays and no line of text.
//
// What is not kept: what was meant for one connection or for us as a proxy (RFC 9111, section 3.1), Age, which is made
// anew for each response, our own X-Cache-Status, Warning (obsolete), and fields that the server withholds.
// Hot: apply is; the rest runs when something is stored.

import { DROPPED, headerIdOf } from '../header-ids.ts'
import { statusLine } from '../h1/status.ts'
import type { Head } from '../headers.ts'

export interface StoredHead {
  readonly text: string // status line and lines, each with CR LF
  readonly linesStart: number
  readonly offsets: Int32Array // as in core/headers.ts, 4 per line
  readonly ids: Uint8Array
}

export type Line = readonly [name: string, value: string]

const neverKept = new Set([
  'age',
  'connection',
  'content-length', // that of the body that is kept
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'warning',
  'x-cache-status',
])

// Those of the stored response stay, whatever a 304 says of them (RFC 9111, section 3.2): they are about its body.
const neverRenewed = new Set([
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'etag',
])

export function isNeverKept(lowerName: string): boolean {
  return neverKept.has(lowerName)
}

// The lines of a head that may be kept; `withheld` in lower case.
export function keptLines(head: Head, withheld: readonly string[]): Line[] {
  const lines: Line[] = []
  const take = (name: string, value: string): void => {
    const lower = name.toLowerCase()
    if (!neverKept.has(lower) && !withheld.includes(lower)) lines.push([name, value])
  }
  for (let line = 0; line < head.count; line++) {
    if (head.ids[line] !== DROPPED) take(head.spellingAt(line), head.valueAt(line))
  }
  for (let i = 0; i < head.extraCount; i++) take(head.extraNames[i]!, head.extraValues[i]!)
  return lines
}

// RFC 9111, section 3.2: what a 304 says takes the place of what is stored, but for what describes the body.
export function renewedLines(stored: StoredHead, update: readonly Line[]): Line[] {
  const renewed = update.filter(([name]) => !neverRenewed.has(name.toLowerCase()))
  const names = new Set(renewed.map(([name]) => name.toLowerCase()))
  return [...linesOfStored(stored).filter(([name]) => !names.has(name.toLowerCase())), ...renewed]
}

export function linesOfStored(stored: StoredHead): Line[] {
  const { text, offsets, ids } = stored
  return Array.from(ids, (_id, line): Line => {
    const at = line * 4
    return [
      text.slice(offsets[at]!, offsets[at + 1]!),
      text.slice(offsets[at + 2]!, offsets[at + 3]!),
    ]
  })
}

// `length` of the body; -1 for a status that has none. `date` when the server has given none: RFC 9110, section 6.6.1.
export function storeHead(
  status: number,
  reason: string,
  lines: readonly Line[],
  length: number,
  date: string,
): StoredHead {
  const all = lines.slice()
  if (!lines.some(([name]) => name.toLowerCase() === 'date')) all.push(['Date', date])
  if (length >= 0) all.push(['Content-Length', String(length)])
  const offsets = new Int32Array(all.length * 4)
  const ids = new Uint8Array(all.length)
  let text = reason === '' ? statusLine(status) : `HTTP/1.1 ${status} ${reason}\r\n`
  const linesStart = text.length
  all.forEach(([name, value], line) => {
    const at = line * 4
    offsets[at] = text.length
    offsets[at + 1] = text.length + name.length
    offsets[at + 2] = text.length + name.length + 2
    offsets[at + 3] = text.length + name.length + 2 + value.length
    ids[line] = headerIdOf(name.toLowerCase())
    text += `${name}: ${value}\r\n`
  })
  return { text, linesStart, offsets, ids }
}

// Makes `head` one that a server might have sent just now; response phases may change it as any other.
export function applyHead(stored: StoredHead, head: Head): void {
  const { ids, offsets, text } = stored
  const count = ids.length
  head.clear()
  if (head.ids.length < count) {
    head.ids = new Uint8Array(count * 2)
    head.offsets = new Int32Array(count * 8)
  }
  head.text = text
  head.linesStart = stored.linesStart
  head.linesEnd = text.length
  head.count = count
  head.ids.set(ids)
  head.offsets.set(offsets)
}
