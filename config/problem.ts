// What can be wrong with a configuration, and how it is said to the operator.
//
// Every reader of configuration (files, flags, environment, schema, compiler) reports Problems; they are
// collected and shown together. `line` and `column` count from 1; 0 means that the source has no lines
// (a flag, an environment variable). Hot: no.

export interface Problem {
  severity: 'error' | 'warning'
  code: string
  file: string
  line: number
  column: number
  path: string // as a person writes it: entryPoints.web.http.tls.domains[0].main
  message: string
  suggestion: string // the nearest known word, '' when there is none
}

export type Path = readonly (string | number)[]

// A broken 16 MiB file must not produce a report of the same size.
export const problemsMax = 1000
const problemsShownMax = 20

export class ConfigError extends Error {
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(describeProblems(problems))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

function describeProblems(problems: readonly Problem[]): string {
  const shown = problems.slice(0, problemsShownMax).map(formatProblem)
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`)
  return shown.join('\n')
}

export function formatProblem(problem: Problem): string {
  const place = problem.line > 0 ? `:${problem.line}:${problem.column}` : ''
  const hint = problem.suggestion === '' ? '' : ` (did you mean "${problem.suggestion}"?)`
  return `${problem.file}${place}: ${problem.message}${hint}`
}

export function formatPath(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}
