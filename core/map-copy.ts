// core/map-copy.ts: copies large maps a piece at a time.
//
// A generation of 10,000 routers is a handful of maps of as many entries. Copied at once they would stop a worker for
// 5 ms at each reload, whatever the change. Not hot.

interface Copy {
  readonly entries: Iterator<[unknown, unknown]>
  readonly to: Map<unknown, unknown>
}

export class MapCopies {
  private readonly pending: Copy[] = []

  // `from` must stay as it is, and `to` may not be used, until step() has said true.
  add<Key, Value>(from: ReadonlyMap<Key, Value>, to: Map<Key, Value>): void {
    if (from.size > 0) this.pending.push({ entries: from.entries(), to })
  }

  // Copies up to `max` entries; true when nothing is left.
  step(max: number): boolean {
    for (let left = max; left > 0 && this.pending.length > 0; left--) {
      const copy = this.pending.at(-1)!
      const next = copy.entries.next()
      if (next.done === true) this.pending.pop()
      else copy.to.set(next.value[0], next.value[1])
    }
    return this.pending.length === 0
  }
}
