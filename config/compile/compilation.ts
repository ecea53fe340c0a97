// config/compile/compilation.ts: what the steps of one compilation share: input, problems, suggestions.
//
// Lives for one compile(). Hot: no.

import type { StaticFacts } from '../facts.ts'
import { problemAt, type Entry, type Merged } from '../merge.ts'
import type { NamedFiles } from '../named-files.ts'
import { problemsMax, type Path, type Problem } from '../problem.ts'
import { nearestKey } from '../schema.ts'
import type { SpiffeIdentity } from '../spiffe.ts'

// Looking through 10,000 names takes a while; after so many the reader has seen the point.
const suggestionsMax = 20

export class Compilation {
  readonly facts: StaticFacts
  readonly merged: Merged
  readonly files: NamedFiles
  readonly spiffe: SpiffeIdentity | null
  readonly problems: Problem[]
  // TCP's: those that are known, and those for who names none.
  readonly entryPoints: { readonly names: readonly string[]; readonly defaults: readonly string[] }
  private suggestions = 0

  constructor(
    facts: StaticFacts,
    merged: Merged,
    files: NamedFiles,
    spiffe: SpiffeIdentity | null = null,
  ) {
    this.facts = facts
    this.merged = merged
    this.files = files
    this.spiffe = spiffe
    const all = facts.entryPoints
    this.entryPoints = {
      names: all.map((at) => at.name),
      defaults: all.filter((at) => at.takesDefault).map((at) => at.name),
    }
    this.problems = [...merged.problems]
  }

  error(entry: Entry<unknown>, key: Path, code: string, message: string, suggestion = ''): void {
    if (this.problems.length >= problemsMax) return
    this.problems.push(problemAt(entry, key, code, message, suggestion))
  }

  // Of an object that is disabled for it.
  fail(
    entry: Entry<unknown>,
    key: Path,
    code: string,
    message: string,
    errors: string[],
    hint = '',
  ): void {
    const text = shortened(message)
    errors.push(text)
    this.error(entry, key, code, `${entry.qualified}: ${text}`, hint)
  }

  warning(entry: Entry<unknown>, key: Path, code: string, message: string, hint = ''): void {
    if (this.problems.length >= problemsMax) return
    this.problems.push(problemAt(entry, key, code, message, hint, 'warning'))
  }

  // Of what the install configuration says; its file and place are not known here.
  installError(path: string, message: string, suggestion = ''): void {
    this.install('error', 'CONFIG_ENTRY_POINT', path, message, suggestion)
  }

  installWarning(path: string, message: string): void {
    this.install('warning', 'CONFIG_TLS_WEAK', path, message, '')
  }

  private install(
    severity: Problem['severity'],
    code: string,
    path: string,
    message: string,
    suggestion: string,
  ): void {
    if (this.problems.length >= problemsMax) return
    const place = { file: 'install configuration', line: 0, column: 0, path }
    this.problems.push({ severity, code, ...place, message, suggestion })
  }

  suggest(wanted: string, known: Iterable<string>): string {
    if (++this.suggestions > suggestionsMax) return ''
    const names = [...known]
    // The commonest slip: the name is right, but it belongs to another provider.
    const start = `${wanted.split('@', 1)[0]}@`
    return names.find((name) => name.startsWith(start)) ?? nearestKey(wanted, names)
  }
}

export function qualify(name: string, provider: string): string {
  return name.includes('@') ? name : `${name}@${provider}`
}

const messageMax = 400

// A reason may hold the reason of what it depends on, and so on.
export function shortened(message: string): string {
  return message.length > messageMax ? `${message.slice(0, messageMax)}...` : message
}
