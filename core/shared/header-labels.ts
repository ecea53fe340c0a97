// core/shared/header-labels.ts: labels of request counts that come from request headers (metrics.prometheus.headerLabels).
//
// Owner:  the worker; made only when the key is set.
// Hot:    once per request then: a look-up per header and one in a table.
//
// Clients choose the values, and each combination of them is a series for every code and method. So a worker tells the
// first SETS_MAX combinations apart that it meets; whatever is new after that is OTHER under every label.

import type { Head } from '../headers.ts'
import { ownCopy } from '../normalise-host.ts'

export const SETS_MAX = 100
export const OTHER = 'other'
const VALUES_LENGTH_MAX = 256 // of all headers together; longer ones are OTHER too

export interface LabelSet {
  readonly id: number // 0 for OTHER, then 1 .. SETS_MAX
  readonly labels: Readonly<Record<string, string>>
}

export class HeaderLabels {
  private readonly names: readonly string[]
  private readonly headers: readonly string[] // lower case
  private readonly other: LabelSet
  private readonly sets = new Map<string, LabelSet>()

  // `wanted`: label -> name of a header.
  constructor(wanted: Readonly<Record<string, string>>) {
    this.names = Object.keys(wanted)
    this.headers = this.names.map((name) => wanted[name]!.toLowerCase())
    this.other = { id: 0, labels: this.labelled(this.names.map(() => OTHER)) }
  }

  of(request: Head): LabelSet {
    let key = ''
    for (let i = 0; i < this.headers.length; i++) {
      // No value holds a line feed.
      key += (request.get(this.headers[i]!) ?? '') + '\n'
    }
    return this.sets.get(key) ?? this.add(key)
  }

  private add(key: string): LabelSet {
    if (this.sets.size >= SETS_MAX || key.length > VALUES_LENGTH_MAX) return this.other
    const own = ownCopy(key) // or the whole head would be kept with it
    const set = { id: this.sets.size + 1, labels: this.labelled(own.split('\n')) }
    this.sets.set(own, set)
    return set
  }

  private labelled(values: readonly string[]): Record<string, string> {
    return Object.fromEntries(this.names.map((name, i) => [name, values[i]!]))
  }
}
