// core/balance/slow-start.ts: a server that has come up has a tenth of its weight at first, and all of it after `slowStart`.
//
// Hot: yes, for services that have it. Works on what any balancer has picked: a request that the server is not to have
// yet is given to the next pick. Where requests are sent by a hash, the lot is drawn by the hash of the same key, so
// that a client moves once, and not back and forth.

const SHARE_AT_FIRST = 0.1

export class SlowStart {
  private readonly rampMs: number
  private random: number

  constructor(rampMs: number, seed: number) {
    this.rampMs = rampMs
    this.random = seed | 0 || 0x9e3779b9 | 0 // a xorshift of 0 stays 0
  }

  // Whether a server that has been up since then takes this request; `lot` is within [0, 1).
  takes(upSince: number, now: number, lot: number): boolean {
    const age = now - upSince
    return age >= this.rampMs || lot < shareAt(age / this.rampMs)
  }

  lot(): number {
    let x = this.random
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.random = x
    return (x >>> 0) / 0x100000000
  }
}

function shareAt(part: number): number {
  return SHARE_AT_FIRST + (1 - SHARE_AT_FIRST) * Math.max(0, part)
}
