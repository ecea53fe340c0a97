// core/auth/question-key.ts: what makes two questions of forwardAuth the same one: everything that the server is told, less
// what the configuration says does not matter.
//
// So a header that nobody has thought of tells two callers apart; nothing has to be named for that. Pure. Hot: no; once per
// request of a middleware with a cache. The text holds secrets of the client: whoever asks for it keeps a hash of it only.

import {
  X_FORWARDED_FOR,
  X_FORWARDED_HOST,
  X_FORWARDED_METHOD,
  X_FORWARDED_PORT,
  X_FORWARDED_PROTO,
  X_FORWARDED_URI,
  X_REAL_IP,
  headerNames,
} from '../header-ids.ts'

export interface KeyOptions {
  readonly ignore: readonly string[] // parts that do not matter: see parsePart
  readonly cookies: readonly string[] // those that matter; []: all
}

export type Lines = readonly (readonly [name: string, value: string])[]

// Lines that stand for a part. Of X-Forwarded-Uri a half may matter.
const linesOfPart: ReadonlyMap<string, readonly number[]> = new Map([
  ['ip', [X_FORWARDED_FOR, X_REAL_IP]],
  ['method', [X_FORWARDED_METHOD]],
  ['scheme', [X_FORWARDED_PROTO]],
  ['host', [X_FORWARDED_HOST, X_FORWARDED_PORT]],
  ['path', []],
  ['query', []],
])

export const partNames: readonly string[] = [...linesOfPart.keys()]
const URI = headerNames[X_FORWARDED_URI]!

// Lower-case names of the lines that a part stands for; null for what is no part.
export function parsePart(text: string): readonly string[] | null {
  const lines = linesOfPart.get(text)
  if (lines !== undefined) return lines.map((id) => headerNames[id]!)
  const header = /^header\.([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100})$/.exec(text)?.[1]
  return header === undefined ? null : [header.toLowerCase()]
}

export class QuestionKey {
  private readonly ignored: ReadonlySet<string>
  private readonly cookies: ReadonlySet<string>
  private readonly byMethod: boolean
  private readonly byPath: boolean
  private readonly byQuery: boolean

  constructor({ ignore, cookies }: KeyOptions) {
    this.ignored = new Set(ignore.flatMap((part) => parsePart(part) ?? []))
    this.cookies = new Set(cookies)
    this.byMethod = !ignore.includes('method')
    this.byPath = !ignore.includes('path')
    this.byQuery = !ignore.includes('query')
  }

  // No line holds a line feed, and no name a colon: two questions have one text only if they are one.
  of(method: string, lines: Lines): string {
    let text = this.byMethod ? method + '\n' : '\n'
    for (const [name, value] of lines) {
      const lower = name.toLowerCase()
      if (this.ignored.has(lower)) continue
      if (lower === URI) text += `${lower}:${this.uriOf(value)}\n`
      else if (lower === 'cookie') text += `${lower}:${this.cookiesOf(value)}\n`
      else text += `${lower}:${value}\n`
    }
    return text
  }

  private uriOf(uri: string): string {
    const mark = uri.indexOf('?')
    const path = mark < 0 ? uri : uri.slice(0, mark)
    return (this.byPath ? path : '') + (this.byQuery && mark >= 0 ? uri.slice(mark) : '')
  }

  // Where none of them is found, or a quote may hide where one ends, all that stands there matters.
  private cookiesOf(value: string): string {
    if (this.cookies.size === 0 || value.includes('"')) return value
    const pairs = value.split(';').map((pair) => pair.trim())
    const kept = pairs.filter((pair) => this.cookies.has(nameOf(pair)))
    return kept.length === 0 ? value : kept.join('; ')
  }
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return equals < 0 ? '' : pair.slice(0, equals).trim()
}
