// core/regex/scanner.ts: finds the matches of an expression in a long text, one look at each character.
//
// Hot: yes. As RE2 does it, with two automata:
//
//   forwards    of lists of places in the program, the preferred first; a further start is added to the end of the list
//               until something matches. Tells where the leftmost match ends.
//   backwards   of sets of places, from there to the leftmost start
//
// Backwards never goes behind the match before it, so that is linear over all matches. Forwards is not, for any engine
// that is known: a.*b|a reads "aaaa" to its end for each of its matches. That is what Work is for.

import { Automaton, type State } from './automaton.ts'
import {
  EMPTY_WIDTH,
  END_CLASS,
  FAIL,
  MATCH,
  OTHER,
  type Program,
  RUNE,
  SPLIT,
  between,
} from './program.ts'
import type { Work } from './work.ts'

class Forwards extends Automaton {
  private readonly stack: number[] = []

  protected override firstPlaces(): number[] {
    return [this.program.start]
  }

  protected override follow({ places, kind, searches }: State, cls: number): State {
    const { ops, outs, start, kinds } = this.program
    const flags = between(kind, kinds[cls]!)
    const next = new Set<number>()
    let matched = false
    this.beginRound()
    for (let i = 0; i < places.length && !matched; i++) {
      this.stack.push(places[i]!)
      while (this.stack.length > 0 && !matched) {
        const place = this.stack.pop()!
        if (!this.meets(place)) continue
        const op = ops[place]!
        if (op === MATCH) matched = true
        else if (op !== RUNE) this.pushFree(place, flags)
        else if (this.takes(place, cls)) next.add(outs[place]!)
      }
    }
    this.stack.length = 0 // what is less preferred than a match
    const goesOn = searches && !matched && cls !== END_CLASS
    if (goesOn) next.add(start)
    return this.stateOf([...next], kinds[cls]!, goesOn, matched)
  }

  private takes(place: number, cls: number): boolean {
    return cls !== END_CLASS && this.program.takes(place, this.program.samples[cls]!)
  }

  // Where it goes without a character; what is on top is preferred.
  private pushFree(place: number, flags: number): void {
    const { ops, outs, args } = this.program
    const op = ops[place]!
    if (op === FAIL || (op === EMPTY_WIDTH && (args[place]! & ~flags) !== 0)) return
    if (op === SPLIT) this.stack.push(args[place]!)
    this.stack.push(outs[place]!)
  }
}

class Backwards extends Automaton {
  private readonly freeFrom: number[][] // by place: what leads to it without a character
  private readonly runesFrom: number[][]

  constructor(program: Program) {
    super(program)
    this.freeFrom = Array.from({ length: program.size }, () => [])
    this.runesFrom = Array.from({ length: program.size }, () => [])
    program.ops.forEach((op, place) => {
      if (op === FAIL || op === MATCH) return
      const from = op === RUNE ? this.runesFrom : this.freeFrom
      from[program.outs[place]!]!.push(place)
      if (op === SPLIT) from[program.args[place]!]!.push(place)
    })
  }

  protected override firstPlaces(): number[] {
    return Array.from(this.program.ops.keys()).filter((place) => this.program.ops[place] === MATCH)
  }

  // `matched` says here that a match may start behind the character.
  protected override follow({ places, kind }: State, cls: number): State {
    const { ops, args, start, kinds, samples } = this.program
    const flags = between(kinds[cls]!, kind)
    const next = new Set<number>()
    const stack = [...places]
    let matched = false
    this.beginRound()
    while (stack.length > 0) {
      const place = stack.pop()!
      if (!this.meets(place)) continue
      if (place === start) matched = true
      for (const from of this.freeFrom[place]!)
        if (ops[from] !== EMPTY_WIDTH || (args[from]! & ~flags) === 0) stack.push(from)
      if (cls === END_CLASS) continue
      for (const from of this.runesFrom[place]!) {
        this.looks++
        if (this.program.takes(from, samples[cls]!)) next.add(from)
      }
    }
    return this.stateOf([...next].sort(ascending), kinds[cls]!, false, matched)
  }
}

const ascending = (a: number, b: number): number => a - b

export class Scanner {
  start = 0 // of what was found
  end = 0
  private readonly program: Program
  private readonly forwards: Forwards
  private readonly backwards: Backwards

  constructor(program: Program) {
    this.program = program
    this.forwards = new Forwards(program)
    this.backwards = new Backwards(program)
  }

  // The first match that starts at `from` or behind it. False too when the work is spent.
  find(text: string, from: number, work: Work): boolean {
    const end = this.endFrom(text, from, work)
    if (end < 0 || work.isSpent) return false
    this.end = end
    this.start = this.startOf(text, from, end, work)
    return !work.isSpent
  }

  private endFrom(text: string, from: number, work: Work): number {
    const { program, forwards } = this
    const { latin } = program
    const { length } = text
    let state = forwards.first(this.kindOf(classBefore(program, text, from, work)))
    let end = -1
    let at = from
    while (at < length && !state.isDead) {
      const unit = text.charCodeAt(at)
      let width = 1
      let cls = unit < 256 ? latin[unit]! : 0
      if (cls === 0) {
        if ((unit & 0xfc00) === 0xd800) width = 2
        cls = program.classOf(width === 1 ? unit : text.codePointAt(at)!, work)
      }
      const { next } = state
      state = (cls < next.length ? next[cls] : undefined) ?? forwards.step(state, cls, work)
      if (state.matched) end = at
      at += width
    }
    work.spend(at - from)
    if (state.isDead) return end
    return (state.next[END_CLASS] ?? forwards.step(state, END_CLASS, work)).matched ? at : end
  }

  // Not behind `from`, where the match before it ends.
  private startOf(text: string, from: number, end: number, work: Work): number {
    const { program, backwards } = this
    let state = backwards.first(this.kindOf(classAt(program, text, end, work)))
    let start = end
    for (let at = end; at >= from && !state.isDead;) {
      const cls = classBefore(program, text, at, work)
      state = state.next[cls] ?? backwards.step(state, cls, work)
      if (state.matched) start = at
      work.spend(2)
      at -= cls !== END_CLASS && (text.charCodeAt(at - 1) & 0xfc00) === 0xdc00 ? 2 : 1
    }
    return start
  }

  private kindOf(cls: number): number {
    return this.program.looksAround ? this.program.kinds[cls]! : OTHER
  }
}

// The character's, END_CLASS where the text begins or ends. A body is UTF-8: no half of a pair stands alone.
export function classAt(program: Program, text: string, at: number, work: Work): number {
  return at >= text.length ? END_CLASS : program.classOf(text.codePointAt(at)!, work)
}

export function classBefore(program: Program, text: string, at: number, work: Work): number {
  if (at === 0) return END_CLASS
  const unit = text.charCodeAt(at - 1)
  return program.classOf((unit & 0xfc00) === 0xdc00 ? text.codePointAt(at - 2)! : unit, work)
}
