// core/middleware/http/force-case.ts: sends chosen headers in exactly the given spelling, in both directions.
//
// Hot: yes, for routers that have it. For clients and servers that do not know that names of headers have no case
// (RFC 9110, section 5.1). HTTP/2 knows lower case only, so there it changes nothing.

import type { Exchange } from '../../exchange.ts'
import { DROPPED, UNKNOWN, headerIdOf } from '../../header-ids.ts'
import type { Head } from '../../headers.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { ResponseVerdict, Verdict } from '../contract.ts'

export interface ForceCaseOptions {
  readonly headers: readonly string[]
}

interface Spelling {
  readonly name: string // as it is sent
  readonly lower: string
  readonly id: number
}

export class ForceCase extends RequestMiddleware {
  readonly kind = 'forceCase'
  override readonly hasResponse = true
  private readonly spellings: readonly Spelling[]

  constructor(name: string, { headers }: ForceCaseOptions) {
    super(name)
    this.spellings = headers.map((header) => {
      const lower = header.toLowerCase()
      return { name: header, lower, id: headerIdOf(lower) }
    })
  }

  onRequest(exchange: Exchange): Verdict {
    for (let i = 0; i < this.spellings.length; i++) respell(exchange.request, this.spellings[i]!)
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    for (let i = 0; i < this.spellings.length; i++) respell(exchange.response, this.spellings[i]!)
    return KEEP
  }

  explain(_exchange: Exchange): string {
    const names = this.spellings.map(({ name }) => name).join(', ')
    return `Spells ${names} like this, in the request and in the response.`
  }
}

// Values keep their order; a head that is spelled right already is left as it is.
function respell(head: Head, spelling: Spelling): void {
  if (!isMisspelled(head, spelling)) return
  const values = head.getAll(spelling.lower)
  head.remove(spelling.lower)
  for (let i = 0; i < values.length; i++) head.add(spelling.name, values[i]!)
}

function isMisspelled(head: Head, { name, lower, id }: Spelling): boolean {
  for (let line = 0; line < head.count; line++) {
    const lineId = head.ids[line]!
    if (lineId === DROPPED || lineId !== id) continue
    const spelled = head.spellingAt(line)
    if (spelled !== name && (id !== UNKNOWN || spelled.toLowerCase() === lower)) return true
  }
  for (let i = 0; i < head.extraCount; i++) {
    const extra = head.extraNames[i]!
    if (extra !== name && extra.toLowerCase() === lower) return true
  }
  return false
}
