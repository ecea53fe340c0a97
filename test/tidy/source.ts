// test/tidy/source.ts: the files of the repository, and TypeScript with its comments and strings blanked out.
//
// Whoever looks for a word in code must not find it in a comment or a text. No parser: a scanner that knows
// comments, strings, templates and regular expressions is enough for the rules that are kept here.

import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const LEFT_OUT = new Set(['node_modules', '.git', '.cache', '.work', 'coverage'])

// Every file below `folder`, as paths relative to the repository with "/" between names.
export function filesBelow(folder = '.'): string[] {
  const found: string[] = []
  for (const entry of readdirSync(join(repository, folder), { withFileTypes: true })) {
    if (LEFT_OUT.has(entry.name)) continue
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) found.push(...filesBelow(path))
    else if (entry.isFile()) found.push(path)
  }
  return found
}

export function readText(path: string): string {
  return readFileSync(join(repository, path), 'utf8')
}

export interface Source {
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  readonly code: string // as long as text: comments, strings and expressions are blanks, quotes are kept
  readonly codeLines: readonly string[]
}

export function sourceOf(path: string, text: string): Source {
  const code = blanked(text)
  return { path, text, lines: text.split('\n'), code, codeLines: code.split('\n') }
}

export function allSources(): Source[] {
  return filesBelow()
    .filter((path) => path.endsWith('.ts'))
    .map((path) => sourceOf(path, readText(path)))
}

// Tests, and what only tests and benches use though it lies beside the code.
export function isTestFile(path: string): boolean {
  return /^test\/|\.(?:test|fixture|bench)\.ts$/.test(path)
}

// ---- the scanner

class Scanner {
  at = 0
  out = ''
  readonly text: string
  private lastCode = '' // the last character of code that is no blank, to tell a division from an expression
  private readonly braces: number[] = [] // depth of "{" within each template's ${...}

  constructor(text: string) {
    this.text = text
  }

  run(): string {
    while (this.at < this.text.length) this.step()
    return this.out
  }

  private step(): void {
    const char = this.text[this.at]!
    const next = this.text[this.at + 1]
    if (char === '/' && next === '/') this.blankUntil(this.text.indexOf('\n', this.at))
    else if (char === '/' && next === '*') this.blankUntil(this.text.indexOf('*/', this.at) + 2)
    else if (char === "'" || char === '"') this.string(char)
    else if (char === '`') this.template()
    else if (char === '/' && this.startsExpression()) this.expression()
    else this.plain(char)
  }

  private plain(char: string): void {
    const inside = this.braces.length - 1
    if (inside >= 0 && char === '{') this.braces[inside]!++
    if (inside >= 0 && char === '}' && this.braces[inside]!-- === 0) {
      this.braces.pop()
      this.keep(char)
      return this.templateText()
    }
    this.keep(char)
  }

  private keep(char: string): void {
    this.out += char
    this.at++
    if (char.trim() !== '') this.lastCode = char
  }

  private blankUntil(end: number): void {
    const to = end < this.at ? this.text.length : end
    this.out += this.text.slice(this.at, to).replace(/[^\n]/g, ' ')
    this.at = to
  }

  private string(quote: string): void {
    this.keep(quote)
    let end = this.at
    while (end < this.text.length && this.text[end] !== quote && this.text[end] !== '\n') {
      end += this.text[end] === '\\' ? 2 : 1
    }
    this.blankUntil(end)
    if (this.text[this.at] === quote) this.keep(quote)
  }

  private template(): void {
    this.keep('`')
    this.templateText()
  }

  private templateText(): void {
    let end = this.at
    while (end < this.text.length && this.text[end] !== '`') {
      if (this.text.startsWith('${', end)) break
      end += this.text[end] === '\\' ? 2 : 1
    }
    this.blankUntil(end)
    if (this.text[this.at] === '`') return this.keep('`')
    this.braces.push(0)
    this.keep('$')
    this.keep('{')
    this.braces[this.braces.length - 1] = 0
  }

  private startsExpression(): boolean {
    return /[(,=:[!&|?{};\n]/.test(this.lastCode) || /\b(?:return|case)\s*$/.test(this.out)
  }

  private expression(): void {
    this.keep('/')
    let end = this.at
    let inClass = false
    while (end < this.text.length && this.text[end] !== '\n') {
      const char = this.text[end]!
      if (char === '/' && !inClass) break
      if (char === '[') inClass = true
      if (char === ']') inClass = false
      end += char === '\\' ? 2 : 1
    }
    this.blankUntil(end)
    this.keep('/')
  }
}

export function blanked(text: string): string {
  return new Scanner(text).run()
}
