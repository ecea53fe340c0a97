// core/middleware/own-headers.ts: headers that a server shall believe, because the gateway says them.
//
// Hot: yes, for routers with authentication. A client may spell such a name otherwise ("X_User", "X.User"), and servers
// that make variables of headers (CGI, WSGI, PHP) take one for the other. So all spellings are removed.

import { DROPPED, UNKNOWN, headerNames } from '../header-ids.ts'
import type { Head } from '../headers.ts'

const SEPARATORS = /[_.]/g

// `name` as servers that fold spellings see it.
export function foldedName(name: string): string {
  return name.toLowerCase().replace(SEPARATORS, '-')
}

// Removes every line whose folded name is in `folded`.
export function removeFolded(head: Head, folded: ReadonlySet<string>): void {
  for (let line = 0; line < head.count; line++) {
    const id = head.ids[line]!
    if (id === DROPPED) continue
    const name = id === UNKNOWN ? foldedName(head.spellingAt(line)) : headerNames[id]!
    if (folded.has(name)) head.drop(line)
  }
  for (let i = head.extraCount - 1; i >= 0; i--) {
    const name = head.extraNames[i]!
    if (folded.has(foldedName(name))) head.remove(name.toLowerCase())
  }
}
