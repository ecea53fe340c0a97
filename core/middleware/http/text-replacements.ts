// core/middleware/http/text-replacements.ts: what bodyRewrite makes of one body: its replacements, one after the other.
//
// Hot: yes, once per body that is rewritten. All of them are paid from one Work, so that no body and no expression holds
// up the worker: it grows with the body, so a short one can't take long, and ends at WORK_MAX, after about 50 ms.

import { Replacing, Work } from '../../regex/replacing.ts'
import type { Counter, WorkerServices } from '../worker.ts'

export interface ReplacementOptions {
  readonly literal: string // '': none; exactly one of the two is given
  readonly regex: string
  readonly replacement: string
}

const GROWTH_MAX = 4 // times maxBytes: what replacements may make of a body
const WORK_MAX = 6_000_000
const WORK_FIRST = 500_000 // to make the states of an expression
const WORK_EACH = 64 // per character of the body: (\w+) and its group take 25 in English prose
const LITERAL_COST = 6 // of one that is found and replaced: about 40 ns

type Replacement = Replacing | { readonly literal: string; readonly replacement: string }

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

export class TextReplacements {
  private readonly replacements: readonly Replacement[]
  private readonly lengthMax: number
  private readonly rewritten: Counter
  private readonly long: Counter
  private readonly notText: Counter

  constructor(
    replacements: readonly ReplacementOptions[],
    maxBytes: number,
    worker: WorkerServices,
    metric: string,
    middleware: string,
  ) {
    this.replacements = replacements.map((one) =>
      one.regex === '' ? one : new Replacing(one.regex, one.replacement),
    )
    this.lengthMax = maxBytes * GROWTH_MAX
    this.rewritten = worker.counter(metric, { middleware, outcome: 'rewritten' })
    this.long = worker.counter(metric, { middleware, outcome: 'too_long' })
    this.notText = worker.counter(metric, { middleware, outcome: 'not_text' })
  }

  // null: it would become too long, or take too long. The very bytes when they are no text.
  rewrite(bytes: Uint8Array): Uint8Array | null {
    let text = decoded(bytes)
    if (text === null) {
      this.notText.add(1)
      return bytes
    }
    const work = new Work(Math.min(WORK_MAX, WORK_FIRST + WORK_EACH * text.length))
    for (const one of this.replacements) {
      text =
        one instanceof Replacing
          ? one.replace(text, this.lengthMax, work)
          : replaceLiteral(text, one.literal, one.replacement, this.lengthMax, work)
      if (text === null) {
        this.tooLong()
        return null
      }
    }
    this.rewritten.add(1)
    return encoder.encode(text)
  }

  tooLong(): void {
    this.long.add(1)
  }

  // 'Replaces 2 literals and 1 expression'
  describe(): string {
    const expressions = this.replacements.filter((one) => one instanceof Replacing).length
    const literals = this.replacements.length - expressions
    const parts = [
      ...(literals === 0 ? [] : [counted(literals, 'literal')]),
      ...(expressions === 0 ? [] : [counted(expressions, 'expression')]),
    ]
    return `Replaces ${parts.join(' and ')}`
  }
}

export const describeRewriting = (
  texts: TextReplacements,
  of: string,
  contentTypes: readonly string[],
  maxBytes: number,
): string =>
  `${texts.describe()} in ${of} bodies of ${contentTypes.join(', ')} up to ${maxBytes} bytes.`

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

function decoded(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null // not UTF-8, whatever the head says
  }
}

// null as above. Counted before it is made: a letter that becomes a page a million times is a bomb.
function replaceLiteral(
  text: string,
  literal: string,
  replacement: string,
  lengthMax: number,
  work: Work,
): string | null {
  let count = 0
  for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
    work.spend(LITERAL_COST)
    if (work.isSpent) return null
    count++
  }
  if (count === 0) return text
  if (text.length + count * (replacement.length - literal.length) > lengthMax) return null
  return text.split(literal).join(replacement) // a quarter of what replaceAll takes
}
