// core/regex/automaton.ts: states of an expression that are made while a text is read, and what making them costs.
//
// Hot: step(), until the states that a text needs are there. Tables that become too large are made anew, so memory is
// bounded; that this may happen over and over is paid for in Work, which ends.

import type { Program } from './program.ts'
import { LOOK_COST, type Work } from './work.ts'

const STATES_MAX = 2_000
const CELLS_MAX = 100_000 // places and ways on, of all states of an automaton together
const STEP_LOOKS = 8 // what a new state takes beside those at its places

export class State {
  readonly places: readonly number[] // in the program
  readonly kind: number // of the character that led here
  readonly searches: boolean // further starts are taken
  readonly matched: boolean // before that character: only with it is known whether ^, $ and \b hold
  readonly isDead: boolean
  readonly next: (State | undefined)[] = [] // by class of character

  constructor(places: readonly number[], kind: number, searches: boolean, matched: boolean) {
    this.places = places
    this.kind = kind
    this.searches = searches
    this.matched = matched
    this.isDead = places.length === 0
  }
}

export abstract class Automaton {
  protected readonly program: Program
  protected looks = 0 // at places, of one follow()
  private round = 0
  private readonly seen: Uint32Array // by place: the round in which it was met
  private readonly states = new Map<string, State>()
  private readonly firsts: (State | undefined)[] = []
  private cells = 0

  constructor(program: Program) {
    this.program = program
    this.seen = new Uint32Array(program.size)
  }

  // Where it begins.
  protected abstract firstPlaces(): number[]
  protected abstract follow(state: State, cls: number): State

  first(kind: number): State {
    return (this.firsts[kind] ??= this.stateOf(this.firstPlaces(), kind, true, false))
  }

  // The state behind a character that `state` has not met yet. Dead when the work is spent.
  step(state: State, cls: number, work: Work): State {
    if (work.isSpent) return SPENT
    if (this.states.size > STATES_MAX || this.cells > CELLS_MAX) this.forget()
    this.looks = STEP_LOOKS
    const next = this.follow(state, cls)
    work.spend(LOOK_COST * this.looks)
    this.cells += Math.max(0, cls - state.next.length)
    state.next[cls] = next
    return next
  }

  protected beginRound(): void {
    if (this.round === 0xffff_ffff) this.seen.fill((this.round = 0))
    this.round++
  }

  // False: it was met in this round.
  protected meets(place: number): boolean {
    if (this.seen[place] === this.round) return false
    this.seen[place] = this.round
    this.looks++
    return true
  }

  protected stateOf(
    places: readonly number[],
    kind: number,
    searches: boolean,
    matched: boolean,
  ): State {
    this.looks += places.length
    const key = `${kind}${searches ? 's' : ''}${matched ? 'm' : ''}:${places.join()}`
    let state = this.states.get(key)
    if (state === undefined) {
      state = new State(places, kind, searches, matched)
      this.states.set(key, state)
      this.cells += places.length
    }
    return state
  }

  // States that nobody stands in any more are garbage then: those made from now on lead to none of them.
  private forget(): void {
    this.states.clear()
    this.firsts.length = 0
    this.cells = 0
  }
}

const SPENT = new State([], 0, false, false)
