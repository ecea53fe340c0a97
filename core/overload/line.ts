// core/overload/line.ts: requests that wait for their turn, of one class.
//
// Owner:  the worker's Admission. Hot: only under overload.
//
// First come, first served, while the first has not waited for long. After that the newest is served first: the old
// ones' clients may have given up, and one that is answered in time is worth more than two that are late.

export interface Waiting<T> {
  readonly item: T
  readonly serial: number
  readonly since: number
}

export class Line<T> {
  private list: Waiting<T>[] = []
  private first = 0

  get length(): number {
    return this.list.length - this.first
  }

  add(item: T, serial: number, since: number): void {
    this.list.push({ item, serial, since })
  }

  oldest(): Waiting<T> | null {
    return this.list[this.first] ?? null
  }

  takeOldest(): Waiting<T> | null {
    if (this.length === 0) return null
    const taken = this.list[this.first++]!
    // What was taken is let go of in pieces, so that a long line costs no copy per request.
    if (this.first >= 256 && this.first * 2 >= this.list.length) {
      this.list = this.list.slice(this.first)
      this.first = 0
    }
    return taken
  }

  // `lateMs`: the newest is next once the oldest has waited for so long.
  takeNext(now: number, lateMs: number): Waiting<T> | null {
    const oldest = this.oldest()
    if (oldest === null) return null
    return now - oldest.since > lateMs ? this.list.pop()! : this.takeOldest()
  }
}
