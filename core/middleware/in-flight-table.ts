// core/middleware/in-flight-table.ts: how many exchanges each source has under way in this worker.
//
// Owner:  the worker, one for its life: exchanges outlive the generation that they began with, and their
//         places must be counted while they do.
// Hot:    yes, for routers with inFlightReq. A source is in the table only while it has exchanges, so the
//         table is never larger than the number of exchanges; SOURCES_MAX holds even if that bound fails.

export const SOURCES_MAX = 65_536 // a new source beyond this is refused, as one that is over its amount

export class InFlightTable {
  private readonly counts = new Map<string, number>()

  // False: `source` has `amount` exchanges under way, or the table is full; nothing is counted then.
  enter(source: string, amount: number): boolean {
    const count = this.counts.get(source) ?? 0
    if (count >= amount) return false
    if (count === 0 && this.counts.size >= SOURCES_MAX) return false
    this.counts.set(source, count + 1)
    return true
  }

  leave(source: string): void {
    const count = this.counts.get(source)
    if (count === undefined) return
    if (count > 1) this.counts.set(source, count - 1)
    else this.counts.delete(source)
  }

  countOf(source: string): number {
    return this.counts.get(source) ?? 0
  }

  get size(): number {
    return this.counts.size
  }
}
