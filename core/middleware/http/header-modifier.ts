// core/middleware/http/header-modifier.ts: sets, adds and removes headers, of the request or of the response, as filters of
// the Gateway API do.
//
// Hot: yes. One order for a name that stands in several lists: set, add, remove. Names have no case.

import type { Exchange } from '../../exchange.ts'
import { isFieldValue, isToken } from '../../h1/text.ts'
import type { Head } from '../../headers.ts'
import { bytesOfText } from '../../percent.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { ResponseVerdict, Verdict } from '../contract.ts'
import { isFraming } from '../header-line.ts'

export interface HeaderModifierOptions {
  readonly set: Readonly<Record<string, string>>
  readonly add: Readonly<Record<string, string>>
  readonly remove: readonly string[]
}

type Line = readonly [name: string, value: string]

abstract class HeaderModifier extends RequestMiddleware {
  private readonly set: readonly Line[]
  private readonly added: readonly Line[]
  private readonly removed: readonly string[] // lower case

  constructor(name: string, { set, add, remove }: HeaderModifierOptions) {
    super(name)
    this.set = linesOf(set)
    this.added = linesOf(add)
    this.removed = remove.map((header) => header.toLowerCase()).filter((lower) => !isFraming(lower))
  }

  protected change(head: Head): void {
    const { set, added, removed } = this
    for (let i = 0; i < set.length; i++) head.set(set[i]![0], set[i]![1])
    for (let i = 0; i < added.length; i++) head.add(added[i]![0], added[i]![1])
    for (let i = 0; i < removed.length; i++) head.remove(removed[i]!)
  }

  protected sentence(where: string): string {
    const parts = [
      ...this.set.map(([name]) => `sets ${name}`),
      ...this.added.map(([name]) => `adds ${name}`),
      ...this.removed.map((name) => `removes ${name}`),
    ]
    return `In the ${where}: ${parts.length === 0 ? 'changes nothing' : parts.join(', ')}.`
  }
}

// What may not be sent is left out; configuration has refused it.
function linesOf(map: Readonly<Record<string, string>>): Line[] {
  return Object.entries(map)
    .map(([name, value]): Line => [name, bytesOfText(value.trim())])
    .filter(([name, value]) => isToken(name) && isFieldValue(value) && !isFraming(name))
}

export class RequestHeaderModifier extends HeaderModifier {
  readonly kind = 'requestHeaderModifier'

  onRequest(exchange: Exchange): Verdict {
    this.change(exchange.request)
    return NEXT
  }

  explain(_exchange: Exchange): string {
    return this.sentence('request')
  }
}

export class ResponseHeaderModifier extends HeaderModifier {
  readonly kind = 'responseHeaderModifier'
  override readonly hasResponse = true

  onRequest(_exchange: Exchange): Verdict {
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    this.change(exchange.response)
    return KEEP
  }

  explain(_exchange: Exchange): string {
    return this.sentence('response')
  }
}
