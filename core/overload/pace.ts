// core/overload/pace.ts: how many requests a worker begins in one turn of its event loop.
//
// Owner:  the worker's Admission. Hot: no; looked at ten times a second.
//
// A worker that has more to do than it can does its turns in order, and they become long: every request then waits for all
// that were ready with it, the important one too. So once turns are longer than the target, only so many requests of
// the lower classes are begun in a turn that it stays short. The others wait, and the next turn follows at once: no
// time is lost, the order is ours.
//
//             mean turn > target                    nobody has waited for QUIET_LOOKS looks
//   FREE ---------------------------> PACED ---------------------------------------------> FREE
//
// The mean turn is the time in which the loop was not waiting for events, divided by its turns: what an average turn
// costs, not the longest. A single long turn among a hundred short ones is no overload.
//
// A crowd comes between two looks, and what it brings is one turn. So `burst` bounds a turn that nobody has looked at yet:
// as many as fill the target at what a request has cost so far. 256 of 64 KiB to compress would be a turn of 100 ms, of
// small ones 10.

const QUIET_LOOKS = 10
const LEAST = 4 // requests in a turn
const BURST_LEAST = 8
const BURST_MOST = 256
const KNOWN_FROM = 16 // requests between two looks: the cost of fewer is that of something else
const SMOOTH = 0.25 // how much a look says of the cost of a request, against those before it
const MOST = 10_000
const DOWN = 0.5 // a look changes the pace to this at the least
const UP = 1.25 // and this at the most
const PRESSED = 0.9 // of the time the loop had something to do: below, nothing waits for the processor

export class Pace {
  isPaced = false
  perTurn = MOST // requests that may begin, while paced
  burst = BURST_MOST // requests that may begin in any turn
  private costMs = 0 // of a request; 0: not known
  private readonly targetMs: number
  private quiet = 0

  constructor(targetMs: number) {
    this.targetMs = targetMs
  }

  // What the loop did for `begun` requests since the last look.
  learn(activeMs: number, begun: number): void {
    if (begun < KNOWN_FROM) return
    const cost = activeMs / begun
    this.costMs = this.costMs === 0 ? cost : this.costMs + SMOOTH * (cost - this.costMs)
    const fit = Math.round(this.targetMs / this.costMs)
    this.burst = Math.min(BURST_MOST, Math.max(BURST_LEAST, fit))
  }

  // `turnMs` is the mean turn since the last look, `busy` the part of the time that the loop was not idle, `perTurn` how
  // many requests have begun in a turn on average, `waiting` how many wait now.
  look(turnMs: number, busy: number, perTurn: number, waiting: number): void {
    if (!this.isPaced) {
      if (turnMs <= this.targetMs || busy < PRESSED) return
      this.isPaced = true
      this.quiet = 0
      this.perTurn = bounded((perTurn * this.targetMs) / turnMs)
      return
    }
    this.quiet = waiting > 0 || turnMs > this.targetMs ? 0 : this.quiet + 1
    if (this.quiet >= QUIET_LOOKS) {
      this.isPaced = false
      this.perTurn = MOST
    } else if (turnMs > 0) {
      const change = Math.min(UP, Math.max(DOWN, this.targetMs / turnMs))
      if (change < 1 || waiting > 0) this.perTurn = bounded(this.perTurn * change)
    }
  }
}

function bounded(perTurn: number): number {
  return Math.min(MOST, Math.max(LEAST, Math.round(perTurn)))
}
