// core/h1/extras.ts: keeps framing out of the lines that middlewares add.
//
// Owner:  nobody; functions over a head.
// Hot:    yes, for messages with extras only.
//
// A middleware that sets Content-Length, Transfer-Encoding or Connection would make a message that ends in two
// places, so such an extra is not sent, whoever added it. Configuration refuses those names too; this is the
// last door.

import {
  CONNECTION,
  CONTENT_LENGTH,
  HOST,
  KEEP_ALIVE,
  TE,
  TRANSFER_ENCODING,
  UPGRADE,
} from '../header-ids.ts'
import type { Head } from '../headers.ts'

const REFUSED = new Uint8Array(256)
const refusedLength = new Uint8Array(32) // so that most names are never turned to lower case
for (const [id, length] of [
  [HOST, 4], // requests: exchange.forwardHost is the way
  [CONNECTION, 10],
  [CONTENT_LENGTH, 14],
  [TRANSFER_ENCODING, 17],
  [KEEP_ALIVE, 10],
  [UPGRADE, 7],
  [TE, 2],
] as const) {
  REFUSED[id] = 1
  refusedLength[length] = 1
}

export function dropFramingExtras(head: Head): void {
  const { extraNames, extraCount } = head
  let kept = 0
  for (let i = 0; i < extraCount; i++) {
    const { length } = extraNames[i]!
    if (length < 32 && refusedLength[length] === 1 && REFUSED[head.extraId(i)] === 1) continue
    head.moveExtra(i, kept++)
  }
  head.extraCount = kept
}
