// core/regex/replacing.ts: every match of an expression in a long text replaced, at a bounded price.
//
// Hot: yes. The result is that of Go's ReplaceAllString; the engine is not one of regex.ts, because neither of
// them is linear over all matches of a long text. What isLinear() proves is that restarts do no harm up to a constant,
// which bounded repetitions make as large as 4,096: fine for a path, not for a body. Measured, milliseconds per MiB:
//
//                                                    regex.ts                              here
//   http://inner[0-9]*\.example(:[0-9]+)?   HTML     26 (V8)                               12
//   href="http://([a-z.]+):([0-9]+)/        HTML     206 (re2js)                           24
//   (?:a{16}){16}b                          aaa...   3,700 (V8)                            8
//   (?:[ab]{15}){60}c                       abba...  7,000 (V8)                            gives up after 32
//   a                                       aaa...   990 (V8, per match)                   gives up after 14
//   a.*b|a                                  aaa...   178 for 2 KiB, 29 for 1 KiB (re2js)   gives up after 50

import { Program } from './program.ts'
import { Scanner } from './scanner.ts'
import { Submatches } from './submatches.ts'
import { parseTemplate, type Template } from './template.ts'
import type { Work } from './work.ts'

const MATCH_COST = 40 // of finding where to begin, and copying around it

export { Work } from './work.ts'

export class Replacing {
  readonly source: string
  private readonly program: Program
  private readonly scanner: Scanner
  private readonly template: Template
  private readonly submatches: Submatches | null // the template names groups

  // Throws RegexError.
  constructor(source: string, replacement: string) {
    this.source = source
    this.program = new Program(source)
    this.scanner = new Scanner(this.program)
    this.template = parseTemplate(replacement, this.program.groupNames)
    const namesGroups = this.template.groups.some((group) => group > 0)
    this.submatches = namesGroups ? new Submatches(this.program) : null
  }

  // null: it would become longer than lengthMax, or take more than there is of work.
  replace(text: string, lengthMax: number, work: Work): string | null {
    const { scanner } = this
    let out = ''
    let copied = 0
    for (let at = 0; at <= text.length && scanner.find(text, at, work);) {
      const { start, end } = scanner
      // As Go: an empty match that touches the match before it is passed over.
      if (end > copied || start === 0) {
        out += text.slice(copied, start)
        const room = lengthMax - out.length - (text.length - end)
        const made = this.expand(text, room, work)
        if (made === null) return null
        out += made
        copied = end
      }
      work.spend(MATCH_COST)
      at = end > at ? end : at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1)
    }
    if (work.isSpent) return null
    return copied === 0 && out === '' ? text : out + text.slice(copied)
  }

  // What stands in for the match. Its length is known before it is made.
  private expand(text: string, room: number, work: Work): string | null {
    const { start, end } = this.scanner
    if (this.submatches !== null && !this.submatches.find(text, start, end, work)) return null
    const { texts, groups } = this.template
    let out = texts[0]!
    for (let i = 0; i < groups.length && out.length <= room; i++)
      out += this.groupIn(text, groups[i]!) + texts[i + 1]!
    return out.length > room ? null : out
  }

  private groupIn(text: string, group: number): string {
    if (group === 0) return text.slice(this.scanner.start, this.scanner.end)
    if (group < 0) return ''
    const { bounds } = this.submatches!
    const start = bounds[2 * group]!
    return start < 0 ? '' : text.slice(start, bounds[2 * group + 1]!)
  }
}
