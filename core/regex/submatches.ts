// core/regex/submatches.ts: the groups of a match whose start and end are known.
//
// Hot: yes, for replacements that name groups. Go's backtracker: no place of the program is tried twice at one character,
// so it takes at the most their product; which of them it has tried is a bit each.

import { CAPTURE, EMPTY_WIDTH, FAIL, MATCH, type Program, RUNE, SPLIT, between } from './program.ts'
import { classAt, classBefore } from './scanner.ts'
import type { Work } from './work.ts'

const TRY_COST = 6 // of a place: 20 to 30 ns
const KEPT_MAX = 4_096 // of words, from one match to the next
const BITS_MAX = 64 * 1024 * 1024 // 8 MiB, for as long as it takes

export class Submatches {
  // Start and end of each group in pairs, the whole match first; -1: did not take part.
  readonly bounds: Int32Array
  private readonly program: Program
  private tried = new Uint32Array(64)
  private width = 0 // of a place: one more than the characters of the match
  private stack = new Int32Array(128) // pairs: a place and where, or a slot and what it was
  private top = 0

  constructor(program: Program) {
    this.program = program
    this.bounds = new Int32Array(2 * (program.groupNames.length + 1))
  }

  // False when the work is spent, or would be.
  find(text: string, start: number, end: number, work: Work): boolean {
    this.width = end - start + 1
    const bits = this.width * this.program.size
    if (bits > BITS_MAX) return false
    work.spend(bits >>> 5)
    if (work.isSpent) return false
    const words = (bits + 31) >>> 5
    if (this.tried.length < words) this.tried = new Uint32Array(words)
    else this.tried.fill(0, 0, words)
    this.bounds.fill(-1)
    this.run(text, start, end, work)
    this.bounds[0] = start
    this.bounds[1] = end
    if (this.tried.length > KEPT_MAX) this.tried = new Uint32Array(64)
    if (this.stack.length > KEPT_MAX) this.stack = new Int32Array(128)
    return !work.isSpent
  }

  private run(text: string, start: number, end: number, work: Work): void {
    this.top = 0
    this.push(this.program.start, start)
    while (this.top > 0 && !work.isSpent) {
      this.top -= 2
      const place = this.stack[this.top]!
      const at = this.stack[this.top + 1]!
      if (place < 0) this.bounds[-1 - place] = at // what a group was before it was tried
      else if (this.follow(text, place, at, start, end, work)) return
    }
  }

  // Until a choice is left to the stack for later. True: it is the match.
  private follow(
    text: string,
    first: number,
    from: number,
    start: number,
    end: number,
    work: Work,
  ): boolean {
    const { program } = this
    let place = first
    let at = from
    while (this.isNew(place, at - start)) {
      work.spend(TRY_COST)
      switch (program.ops[place]!) {
        case MATCH:
          return at === end // a preferred one does not end elsewhere: it would have been found
        case FAIL:
          return false
        case SPLIT:
          this.push(program.args[place]!, at)
          break
        case CAPTURE:
          this.mark(program.args[place]!, at)
          break
        case EMPTY_WIDTH:
          if (!this.holds(text, place, at, work)) return false
          break
        case RUNE: {
          if (at >= end) return false
          const point = text.codePointAt(at)!
          if (!program.takes(place, point)) return false
          at += point > 0xffff ? 2 : 1
        }
      }
      place = program.outs[place]!
    }
    return false
  }

  // No longer than twice the places that are tried, which Work bounds.
  private push(place: number, at: number): void {
    if (this.top === this.stack.length) {
      const larger = new Int32Array(2 * this.top)
      larger.set(this.stack)
      this.stack = larger
    }
    this.stack[this.top++] = place
    this.stack[this.top++] = at
  }

  private isNew(place: number, offset: number): boolean {
    const bit = place * this.width + offset
    const mask = 1 << (bit & 31)
    const word = this.tried[bit >>> 5]!
    if ((word & mask) !== 0) return false
    this.tried[bit >>> 5] = word | mask
    return true
  }

  private mark(slot: number, at: number): void {
    if (slot >= this.bounds.length) return
    this.push(-1 - slot, this.bounds[slot]!)
    this.bounds[slot] = at
  }

  private holds(text: string, place: number, at: number, work: Work): boolean {
    const { program } = this
    const left = program.kinds[classBefore(program, text, at, work)]!
    const right = program.kinds[classAt(program, text, at, work)]!
    return (program.args[place]! & ~between(left, right)) === 0
  }
}
