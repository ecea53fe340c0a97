// core/regex/url-replacing.ts: every match of an expression in a path or URL replaced, at a bounded price.
//
// Hot: yes, for routers that rewrite by expression. What V8 may search (regex.ts) it searches here again after each match;
// that is linear, and each match costs. Elsewhere re2js is linear for one match only: with /index\.php(/.*\.html)?, where each
// further match may reach to the end, a path of 8 KB took 440 ms and one of 30 KB ended the worker. So those go to the engine
// of bodies (replacing.ts), which counts its steps: 2 KB of /index.php take 1.5 ms there, and from 6 KB on it gives up.

import { type SafeRegex, compileRegex } from '../regex.ts'
import { Replacing, Work } from './replacing.ts'
import { type Template, expandTemplate, parseTemplate } from './template.ts'

const WORK_MAX = 1_000_000 // of one text: 5 to 8 ms
const WORK_ONCE = 4_000_000 // of all texts together, beyond that: states of .{1,255} are many, but are made once
const MATCH_COST = 130 // of V8: about 1 us
const GROWTH_MAX = 64 * 1024 // characters: nobody takes a longer head

export class UrlReplacing {
  readonly source: string
  private readonly regex: SafeRegex
  private readonly template: Template
  private readonly counted: Replacing | null // null: V8 may search
  private extra = WORK_ONCE

  // Throws RegexError.
  constructor(source: string, replacement: string) {
    this.source = source
    this.regex = compileRegex(source)
    this.template = parseTemplate(replacement, this.regex.groupNames)
    this.counted = this.regex.engine === 'v8' ? null : new Replacing(source, replacement)
  }

  // Whether it matches anywhere in the text.
  test(text: string): boolean {
    return this.regex.test(text)
  }

  // null: it would take too much, or become too long. What has not been replaced whole must go nowhere.
  replace(text: string): string | null {
    const lengthMax = text.length + GROWTH_MAX
    if (this.counted === null) return this.replaceOnV8(text, lengthMax)
    const work = new Work(WORK_MAX + this.extra)
    const out = this.counted.replace(text, lengthMax, work)
    if (work.left < this.extra) this.extra = Math.max(work.left, 0)
    return out
  }

  // As Go: an empty match that touches the match before it is passed over.
  private replaceOnV8(text: string, lengthMax: number): string | null {
    let out = ''
    let copied = 0
    let matches = 0
    for (let at = 0; at <= text.length;) {
      const found = this.regex.find(text, at)
      if (found === null) break
      if (found.end > copied || found.start === 0) {
        out += text.slice(copied, found.start) + expandTemplate(this.template, found.groups)
        copied = found.end
        if (out.length > lengthMax || ++matches * MATCH_COST > WORK_MAX) return null
      }
      at = found.end > at ? found.end : at + (text.codePointAt(at)! > 0xffff ? 2 : 1)
    }
    return out + text.slice(copied)
  }
}
