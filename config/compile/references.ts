// config/compile/references.ts: objects of one kind that others name: each is planned once, when it is first asked for.
//
// What needs something missing or disabled is disabled too. A circle disables what stands on it. Lives for one
// compile(). HTTP's middlewares and services, which name each other, have a walk of their own (resolver.ts).
// Hot: no.

import type { Entry } from '../merge.ts'
import type { Path } from '../problem.ts'
import { qualify, shortened, type Compilation } from './compilation.ts'

const depthMax = 30 // less than what workers follow

// Says what is wrong in `errors`; null when there is nothing to serve.
export type Plan<Config, Planned> = (
  entry: Entry<Config>,
  config: Config,
  errors: string[],
) => Planned | null

export class References<Config, Planned> {
  readonly plans = new Map<string, Planned>() // those that are enabled
  readonly errors = new Map<string, readonly string[]>() // by name: of all that were resolved
  private readonly shared: Compilation
  private readonly says: string // 'TCP service'
  private readonly entries: ReadonlyMap<string, Entry<Config>>
  private readonly plan: Plan<Config, Planned>
  private readonly open: string[] = []

  constructor(
    shared: Compilation,
    says: string,
    entries: ReadonlyMap<string, Entry<Config>>,
    plan: Plan<Config, Planned>,
  ) {
    this.shared = shared
    this.says = says
    this.entries = entries
    this.plan = plan
  }

  resolveAll(): void {
    for (const name of this.entries.keys()) this.resolve(name)
  }

  // The qualified name, or '' when it is missing or disabled; then `errors` and the problems say so.
  refer(name: string, entry: Entry<unknown>, key: Path, errors: string[]): string {
    const wanted = this.entries.has(name) ? name : qualify(name, entry.provider)
    const found = this.resolve(wanted)
    if (found !== null && found.length === 0) return wanted
    const hint = found === null ? this.shared.suggest(wanted, this.entries.keys()) : ''
    const circle = /leads in a circle: .*/.exec(found?.[0] ?? '')?.[0]
    const state = circle ?? `is disabled: ${found?.[0] ?? ''}`
    const says = found === null ? 'does not exist' : state
    this.shared.fail(
      entry,
      key,
      'CONFIG_REFERENCE',
      `the ${this.says} ${wanted} ${says}`,
      errors,
      hint,
    )
    return ''
  }

  // Null when there is no such object; [] when it is enabled.
  resolve(name: string): readonly string[] | null {
    const before = this.errors.get(name)
    if (before !== undefined) return before
    const entry = this.entries.get(name)
    if (entry === undefined) return null
    const at = this.open.indexOf(name)
    if (at !== -1) return [`it leads in a circle: ${[...this.open.slice(at), name].join(' -> ')}`]
    if (this.open.length > depthMax) return [`it is nested deeper than ${depthMax}`]
    this.open.push(name)
    const errors = this.planOne(name, entry)
    this.open.pop()
    this.errors.set(name, errors)
    return errors
  }

  private planOne(name: string, entry: Entry<Config>): readonly string[] {
    if (entry.config === null) return entry.errors.map(shortened)
    const errors: string[] = []
    const planned = this.plan(entry, entry.config, errors)
    if (planned !== null && errors.length === 0) this.plans.set(name, planned)
    return errors
  }
}
