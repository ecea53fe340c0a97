// core/regex.ts: regular expressions of configuration, run so that no input can make them slow.
//
// First version of the facade: everything runs on the linear engine.

import { RE2JS } from 're2js'

export class RegexError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RegexError'
  }
}

export interface SafeRegex {
  readonly source: string
  test(text: string): boolean
  exec(text: string): readonly (string | null)[] | null
  replace(text: string, replacement: string): string
}

class LinearRegex implements SafeRegex {
  readonly source: string
  private readonly program: RE2JS

  constructor(source: string) {
    this.source = source
    this.program = RE2JS.compile(source)
  }

  test(text: string): boolean {
    return this.program.matcher(text).find()
  }

  exec(text: string): readonly (string | null)[] | null {
    const matcher = this.program.matcher(text)
    if (!matcher.find()) return null
    const groups: (string | null)[] = []
    for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i))
    return groups
  }

  replace(text: string, replacement: string): string {
    return this.program.matcher(text).replaceAll(replacement)
  }
}

export function compileRegex(source: string): SafeRegex {
  try {
    return new LinearRegex(source)
  } catch (error) {
    throw new RegexError(error instanceof Error ? error.message : 'bad expression')
  }
}

export function literalPrefixOf(_source: string): string {
  return ''
}
