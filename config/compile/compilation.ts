// config/compile/compilation.ts: what the steps of one compilation share: input, problems, suggestions.
//
// Lives for one compile(). Hot: no.

import type { StaticFacts } from '../facts.ts'
import { problemAt, type Entry, type Merged } from '../merge.ts'
import { problemsMax, type Path, type Problem } from '../problem.ts'
import { nearestKey } from '../schema.ts'

// Looking through 10,000 names takes a while; after so many the reader has seen the point.
const suggestionsMax = 20

export class Compilation {
  readonly facts: StaticFacts
  readonly merged: Merged
  readonly problems: Problem[]
  private suggestions = 0

  constructor(facts: StaticFacts, merged: Merged) {
    this.facts = facts
    this.merged = merged
    this.problems = [...merged.problems]
  }

  error(entry: Entry<unknown>, key: Path, code: string, message: string, suggestion = ''): void {
    if (this.problems.length >= problemsMax) return
    this.problems.push(problemAt(entry, key, code, message, suggestion))
  }

  warning(entry: Entry<unknown>, key: Path, code: string, message: string, hint = ''): void {
    if (this.problems.length >= problemsMax) return
    this.problems.push(problemAt(entry, key, code, message, hint, 'warning'))
  }

  // Of what the install configuration says; its file and place are not known here.
  installError(path: string, message: string, suggestion = ''): void {
    if (this.problems.length >= problemsMax) return
    const place = { file: 'install configuration', line: 0, column: 0, path }
    const code = 'CONFIG_ENTRY_POINT'
    this.problems.push({ severity: 'error', code, ...place, message, suggestion })
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
