// core/h1/hop-by-hop.ts: drops the lines of a head that are meant for one connection only.
//
// Owner:  nobody; functions over a head.
// Hot:    yes, but for messages that carry such a line only (SAW_HOP).
//
// RFC 9110 section 7.6.1. A peer may name further headers in Connection, but never one that routing, framing
// or trust hangs on: the managed headers under any spelling, Host, Content-Length and the like stay
// (CVE-2024-45410: Connection: X-Forwarded-Host took it away from the server). Extras are ours: never dropped.

import {
  CONNECTION,
  CONTENT_LENGTH,
  DROPPED,
  EXPECT,
  HOST,
  HTTP2_SETTINGS,
  KEEP_ALIVE,
  MANAGED_FIRST,
  MANAGED_LAST,
  PROXY_AUTHENTICATE,
  PROXY_AUTHORIZATION,
  PROXY_CONNECTION,
  TE,
  TRAILER,
  TRANSFER_ENCODING,
  UNKNOWN,
  UPGRADE,
  headerIdOf,
} from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { ListCursor } from './tokens.ts'

const HOP = new Uint8Array(256)
for (const id of [
  CONNECTION,
  TRANSFER_ENCODING,
  TE,
  UPGRADE,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  PROXY_AUTHENTICATE,
  PROXY_AUTHORIZATION,
  HTTP2_SETTINGS,
]) {
  HOP[id] = 1
}

// Lines that Connection may not take away. Those of HOP go anyway.
const PROTECTED = new Uint8Array(256)
for (const id of [HOST, CONTENT_LENGTH, EXPECT, TRAILER, UPGRADE, TE]) PROTECTED[id] = 1
for (let id = MANAGED_FIRST; id <= MANAGED_LAST; id++) PROTECTED[id] = 1

// Drops every hop-by-hop line and what Connection names; Upgrade stays when it was granted.
export function dropHopByHop(head: Head, keepUpgrade: boolean): void {
  const { count, ids } = head
  dropNominated(head, null)
  for (let line = 0; line < count; line++) {
    const id = ids[line]!
    if (HOP[id] === 1 && !(keepUpgrade && id === UPGRADE)) ids[line] = DROPPED
  }
}

const cursor = new ListCursor()

// Drops the lines that Connection names, but for those of `allowed`. At most NOMINATED_MAX names per Connection
// line got past the parser.
export function dropNominated(head: Head, allowed: ReadonlySet<string> | null): void {
  const { count, ids, offsets, text } = head
  for (let line = 0; line < count; line++) {
    if (ids[line] !== CONNECTION) continue
    cursor.begin(text, offsets[line * 4 + 2]!, offsets[line * 4 + 3]!)
    while (cursor.next()) {
      const name = text.slice(cursor.start, cursor.end).toLowerCase()
      if (allowed === null || !allowed.has(name)) dropNamed(head, name)
    }
  }
}

function dropNamed(head: Head, name: string): void {
  if (name === 'close' || name === 'keep-alive') return
  const id = headerIdOf(name)
  if (id !== UNKNOWN) {
    if (PROTECTED[id] === 0 && id !== CONNECTION) head.removeId(id)
    return
  }
  if (isManagedAlias(name)) return
  const { count, ids } = head
  for (let line = 0; line < count; line++) {
    if (ids[line] === UNKNOWN && head.nameAt(line) === name) ids[line] = DROPPED
  }
}

// "x_forwarded_for", "x.real.ip": the same header to a server that folds "_" and "." into "-".
export function isManagedAlias(name: string): boolean {
  const id = headerIdOf(name.replace(/[_.]/g, '-'))
  return id >= MANAGED_FIRST && id <= MANAGED_LAST
}
