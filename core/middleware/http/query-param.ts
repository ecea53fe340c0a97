// core/middleware/http/query-param.ts: sets, appends, removes or renames parameters of the query.
//
// Hot: yes. The query stays text: only the parameters that are named are touched, all others keep their bytes and
// their order. A name is compared as a server would read it, so that "%75ser" does not pass for another than "user".

import type { Exchange } from '../../exchange.ts'
import { bytesOfText, decodeQueryText } from '../../percent.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { escapeQuery } from '../url.ts'

export interface ParameterOptions {
  readonly name: string
  readonly value: string
  readonly fromHeader: string // when it is given, the value is that of the header
}

// One of them is not empty.
export interface QueryParamOptions {
  readonly set: readonly ParameterOptions[]
  readonly append: readonly ParameterOptions[]
  readonly remove: readonly { readonly name: string }[]
  readonly rename: readonly { readonly from: string; readonly to: string }[]
}

interface Parameter {
  readonly name: string
  readonly escaped: string // the name and "="
  readonly value: string // escaped
  readonly header: string // lower case; '' for a fixed value
}

export class QueryParam extends RequestMiddleware {
  readonly kind = 'queryParam'
  private readonly set: readonly Parameter[]
  private readonly append: readonly Parameter[]
  private readonly removed: ReadonlySet<string>
  private readonly renamed: ReadonlyMap<string, string> // to escaped names

  constructor(name: string, { set, append, remove, rename }: QueryParamOptions) {
    super(name)
    this.set = set.map(parameterOf)
    this.append = append.map(parameterOf)
    this.removed = new Set([...remove, ...set].map((parameter) => parameter.name))
    this.renamed = new Map(rename.map(({ from, to }) => [from, escaped(to)]))
  }

  onRequest(exchange: Exchange): Verdict {
    const query = this.rewritten(exchange)
    if (query === exchange.query) return NEXT
    exchange.query = query
    exchange.hasQuery = query !== ''
    exchange.pathChanged = true
    return NEXT
  }

  explain(exchange: Exchange): string {
    const query = this.rewritten(exchange)
    if (query === exchange.query) return 'Leaves the query as it is.'
    return query === '' ? 'Leaves nothing of the query.' : `Makes the query ${query}.`
  }

  private rewritten(exchange: Exchange): string {
    let query = exchange.query
    if (query !== '' && this.removed.size + this.renamed.size > 0) query = this.filtered(query)
    for (let i = 0; i < this.set.length; i++) query = added(exchange, query, this.set[i]!)
    for (let i = 0; i < this.append.length; i++) query = added(exchange, query, this.append[i]!)
    return query
  }

  private filtered(query: string): string {
    let kept = ''
    for (let start = 0; start <= query.length;) {
      const and = query.indexOf('&', start)
      const end = and < 0 ? query.length : and
      const pair = this.pairFor(query.slice(start, end))
      if (pair !== null) kept += kept === '' ? pair : '&' + pair
      start = end + 1
    }
    return kept
  }

  // null for one that goes. A malformed escape makes a name that no server reads as one of ours.
  private pairFor(pair: string): string | null {
    const equals = pair.indexOf('=')
    const nameEnd = equals < 0 ? pair.length : equals
    const name = decodeQueryText(pair.slice(0, nameEnd))
    if (name === null) return pair
    if (this.removed.has(name)) return null
    const other = this.renamed.get(name)
    return other === undefined ? pair : other + pair.slice(nameEnd)
  }
}

function escaped(text: string): string {
  return escapeQuery(bytesOfText(text))
}

function parameterOf({ name, value, fromHeader }: ParameterOptions): Parameter {
  const header = fromHeader.toLowerCase()
  return { name, escaped: escaped(name) + '=', value: escaped(value), header }
}

// A header that is not there adds nothing; what the client said of a parameter that is set is gone all the same.
function added(exchange: Exchange, query: string, parameter: Parameter): string {
  let { value } = parameter
  if (parameter.header !== '') {
    const given = exchange.request.get(parameter.header)
    if (given === null) return query
    value = escapeQuery(given)
  }
  const pair = parameter.escaped + value
  return query === '' ? pair : query + '&' + pair
}
