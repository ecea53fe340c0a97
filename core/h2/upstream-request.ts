// core/h2/upstream-request.ts: the head of a request to a server, from HTTP/1 text to the fields of HTTP/2.
//
// Owner:  nobody; pure functions.
// Hot:    yes, once per request to a server that speaks HTTP/2.
//
// The text is our own, made by core/h1/write.ts: so hop-by-hop headers, framing and forwarded lines follow one
// set of rules for both protocols, and every name and value has passed the same checks. What is left to do is
// what RFC 9113 section 8.2.2 and 8.3.1 ask for: pseudo fields first, lower case, no framing of HTTP/1.

import { CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE, headerIdOf } from '../header-ids.ts'
import { isSpace } from '../h1/text.ts'

const COLON = 58
const CR = 13

// ':method', 'GET', ':scheme', ... as a flat list. `scheme` is the server's; `authority` its own name, for an
// HTTP/1.0 request without Host.
export function fieldsOfHead(head: string, scheme: 'http' | 'https', authority: string): string[] {
  const lineEnd = head.indexOf('\r\n')
  const methodEnd = head.indexOf(' ')
  const targetEnd = head.indexOf(' ', methodEnd + 1)
  const fields = [
    ':method',
    head.slice(0, methodEnd),
    ':scheme',
    scheme,
    ':authority',
    authority,
    ':path',
    head.slice(methodEnd + 1, targetEnd),
  ]
  let at = lineEnd + 2
  while (head.charCodeAt(at) !== CR) {
    const end = head.indexOf('\r\n', at)
    addLine(fields, head, at, end)
    at = end + 2
  }
  return fields
}

const AUTHORITY = 5 // where its value lies in the list

function addLine(fields: string[], head: string, from: number, end: number): void {
  let colon = from
  while (head.charCodeAt(colon) !== COLON) colon++
  const name = head.slice(from, colon).toLowerCase()
  const value = trimmed(head, colon + 1, end)
  switch (headerIdOf(name)) {
    case HOST:
      if (value !== '') fields[AUTHORITY] = value
      return
    case CONNECTION:
    case TRANSFER_ENCODING:
    case UPGRADE:
      return
    default: // TE among them: requestHead() writes "trailers" and nothing else
      fields.push(name, value)
  }
}

// A space around a value is lawful in HTTP/1 and an error in HTTP/2.
function trimmed(text: string, from: number, to: number): string {
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}
