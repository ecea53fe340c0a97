// core/cache/fields.ts: the header fields of a request as the cache saw them.
//
// Middlewares behind the cache may change the request before its response comes; on the next request they will not have
// run yet when the cache looks. So what chooses among stored responses is read from how the request was then.
// Hot: made once per request that goes to a server.

import { DROPPED } from '../header-ids.ts'
import type { Head } from '../headers.ts'

export interface Fields {
  getAll(name: string): string[]
}

export class SeenFields implements Fields {
  private readonly head: Head
  private readonly ids: Uint8Array
  private readonly extraNames: readonly string[]
  private readonly extraValues: readonly string[]

  constructor(head: Head) {
    this.head = head
    this.ids = head.ids.slice(0, head.count)
    this.extraNames = head.extraNames.slice(0, head.extraCount)
    this.extraValues = head.extraValues.slice(0, head.extraCount)
  }

  // Only while the exchange has this request: the text is its own.
  getAll(name: string): string[] {
    const { head, ids } = this
    const values: string[] = []
    for (let line = 0; line < ids.length; line++) {
      if (ids[line] === DROPPED) continue
      if (head.spellingAt(line).toLowerCase() === name) values.push(head.valueAt(line))
    }
    this.extraNames.forEach((extra, i) => {
      if (extra.toLowerCase() === name) values.push(this.extraValues[i]!)
    })
    return values
  }
}
