// workers/cache/prefix-times.ts: prefixes of URLs, each with a time, and whether one of them is about a URL.
//
// Owner:  a PurgeTable, which holds it to a bound. Hot: means, per response that is stored, and per hit while a purge is swept.
//
// Beside the order in which they came (Map's) they lie in the order of their characters, where what begins with a prefix follows
// it. So the last one that does not follow a URL either is a prefix of it, or tells how much of the URL a prefix can have at
// the most: what the two have in common. 2.5 us for 1,000 prefixes and 2.7 for 10,000 on a busy machine, where asking one after
// the other took 27 and 103.

export class PrefixTimes extends Map<string, number> {
  private readonly sorted: string[] = []

  override set(prefix: string, at: number): this {
    if (!this.has(prefix)) this.sorted.splice(this.countUntil(prefix), 0, prefix)
    return super.set(prefix, at)
  }

  override delete(prefix: string): boolean {
    if (!super.delete(prefix)) return false
    this.sorted.splice(this.countUntil(prefix) - 1, 1)
    return true
  }

  // Whether one of them begins `url`, and is of `time` or later.
  means(url: string, time: number): boolean {
    for (let rest = url; rest !== '';) {
      const last = this.sorted[this.countUntil(rest) - 1]
      if (last === undefined) return false
      const common = commonLength(last, rest)
      if (common < last.length) {
        rest = rest.slice(0, common)
        continue
      }
      if (time <= this.get(last)!) return true
      rest = rest.slice(0, common - 1) // a shorter one may be younger
    }
    return false
  }

  // How many do not follow `text`.
  private countUntil(text: string): number {
    const { sorted } = this
    let [from, to] = [0, sorted.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (sorted[middle]! <= text) from = middle + 1
      else to = middle
    }
    return from
  }
}

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length++
  return length
}
