// core/middleware/status-ranges.ts: a set of statuses as configurations write it: ['404', '500-599'].
//
// Hot: has(), for responses of routes that have such a set.

export class StatusRanges {
  private readonly bounds: readonly number[] // first, last, first, last ...

  // Config has refused whatever is no status or range.
  constructor(texts: readonly string[]) {
    this.bounds = texts.flatMap((text) => {
      const [first, last] = text.split('-').map(Number)
      return [first!, last ?? first!]
    })
  }

  has(status: number): boolean {
    const { bounds } = this
    for (let i = 0; i < bounds.length; i += 2) {
      if (status >= bounds[i]! && status <= bounds[i + 1]!) return true
    }
    return false
  }
}
