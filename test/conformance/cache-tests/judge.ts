// test/conformance/cache-tests/judge.ts: what the results of http-cache-tests mean, by the suite's own rules
// (lib/display.mjs of version 0.4.5, Mark Nottingham, BSD-3-Clause).
//
// A test that depends on another one counts only when that passed; one whose set-up failed says nothing of what it tests.

export interface SuiteTest {
  readonly id: string
  readonly name: string
  readonly kind?: 'required' | 'optimal' | 'check'
  readonly depends_on?: readonly string[]
  readonly browser_only?: boolean
}

export interface Suite {
  readonly id: string
  readonly tests: readonly SuiteTest[]
}

export type Result = true | readonly [kind: string, message: string]
export type Verdict = 'passed' | 'failed' | 'dependency' | 'set-up' | 'untested'

export class Judge {
  private readonly tests = new Map<string, SuiteTest>()
  private readonly results: Readonly<Record<string, Result>>

  constructor(suites: readonly Suite[], results: Readonly<Record<string, Result>>) {
    this.results = results
    for (const test of suites.flatMap((suite) => suite.tests)) {
      if (test.browser_only !== true) this.tests.set(test.id, test)
    }
  }

  verdict(id: string): Verdict {
    const result = this.results[id]
    if (result === undefined) return 'untested'
    for (const needed of this.tests.get(id)?.depends_on ?? []) {
      if (this.verdict(needed) !== 'passed') return 'dependency'
    }
    if (result === true) return 'passed'
    return result[0] === 'Setup' ? 'set-up' : 'failed'
  }

  counts(kind: string): Record<Verdict, number> {
    const counts = { passed: 0, failed: 0, dependency: 0, 'set-up': 0, untested: 0 }
    for (const test of this.ofKind(kind)) counts[this.verdict(test.id)]++
    return counts
  }

  // Those that did not pass, each with what happened.
  lines(kind: string): string[] {
    return this.ofKind(kind)
      .filter(({ id }) => this.verdict(id) !== 'passed')
      .map(({ id }) => {
        const result = this.results[id]
        const why = result === undefined || result === true ? '' : result[1]
        return `${this.verdict(id).padEnd(10)} ${id}: ${why}`
      })
  }

  private ofKind(kind: string): SuiteTest[] {
    return [...this.tests.values()].filter((test) => (test.kind ?? 'required') === kind)
  }
}
