// core/regex/program.ts: an expression as re2js has compiled it, in flat arrays, for the engine of bodies.
//
// Hot: classOf(). re2js knows all of Go's syntax (Unicode's classes and folding, (?m), \b), so its program is taken and
// only run by others: scanner.ts finds matches in it, submatches.ts their groups. Its format is Go's regexp/syntax.Prog.
//
// Characters that no part of the program tells apart are one class, so that a table of states has few columns. They are
// sorted out as they are met.

import { RE2JS } from 're2js'
import { RegexError } from './reader.ts'
import { parseRegex } from './syntax.ts'
import { LOOK_COST, type Work } from './work.ts'

// Operations of Go's programs, and what an EMPTY_WIDTH may ask for.
export const SPLIT = 1 // to `out`, else to `arg`; 2 is a kind of it
export const CAPTURE = 3
export const EMPTY_WIDTH = 4
export const MATCH = 6
export const NOP = 7
export const RUNE = 8 // and 9 to 11: kinds of it
const SPLIT_MATCH = 2
export const FAIL = 5
const RUNE_LAST = 11
const BEGIN_LINE = 1
const END_LINE = 2
const BEGIN_TEXT = 4
const END_TEXT = 8
const WORD_BOUNDARY = 16
const NO_WORD_BOUNDARY = 32

// What a character is to ^, $ and \b.
export const EDGE = 0 // there is none: the text begins or ends
export const NEWLINE = 1
export const WORD = 2
export const OTHER = 3

export const END_CLASS = 0 // of what is beyond the text

const INSTRUCTIONS_MAX = 20_000 // .{1000} makes 1,000; a state may hold as many numbers
const SETS_MAX = 1_024 // of characters; classes are twice as many at the most
const PAGES_MAX = 256 // of 256 characters, 512 bytes each

interface Instruction {
  readonly op: number
  readonly out: number
  readonly arg: number
  readonly runes: ArrayLike<number>
  matchRune(point: number): boolean
}

export class Program {
  readonly size: number
  readonly start: number
  readonly ops: Uint8Array // SPLIT_MATCH is SPLIT here, kinds of RUNE are RUNE
  readonly outs: Int32Array
  readonly args: Int32Array
  readonly groupNames: readonly string[]
  readonly looksAround: boolean // it has ^, $ or \b
  readonly samples: number[] = [0] // a character of each class
  readonly kinds: number[] = [EDGE]
  readonly latin = new Uint16Array(256) // the class of each; 0: not met yet
  private readonly instructions: readonly Instruction[]
  private readonly tellers: readonly Instruction[] // each set of characters once
  private readonly classes = new Map<string, number>()
  private readonly pages = new Map<number, Uint16Array>()

  // Throws RegexError.
  constructor(source: string) {
    this.groupNames = parseRegex(source).groupNames
    const { inst, start } = compiled(source)
    this.instructions = inst
    this.size = inst.length
    this.start = start
    this.ops = Uint8Array.from(inst, plainOp)
    this.outs = Int32Array.from(inst, ({ out }) => out)
    this.args = Int32Array.from(inst, ({ arg }) => arg)
    this.looksAround = this.ops.includes(EMPTY_WIDTH)
    const tellers = inst.filter((_, pc) => this.ops[pc] === RUNE)
    this.tellers = [...new Map(tellers.map((teller) => [keyOf(teller), teller])).values()]
    if (this.tellers.length > SETS_MAX)
      throw tooMuch(`tells more than ${SETS_MAX} sets of characters apart`)
  }

  takes(pc: number, point: number): boolean {
    return this.instructions[pc]!.matchRune(point)
  }

  // 1 and more; END_CLASS when the work is spent, so that whoever reads comes to an end.
  classOf(point: number, work: Work): number {
    const page = point < 256 ? this.latin : (this.pages.get(point >> 8) ?? this.addPage(point >> 8))
    const known = page[point & 255]!
    if (known > 0) return known
    work.spend(LOOK_COST * (this.tellers.length + 1))
    return work.isSpent ? END_CLASS : (page[point & 255] = this.classify(point))
  }

  private addPage(number: number): Uint16Array {
    if (this.pages.size === PAGES_MAX) this.pages.clear() // the classes stay as they are
    const page = new Uint16Array(256)
    this.pages.set(number, page)
    return page
  }

  private classify(point: number): number {
    const kind = this.looksAround ? kindOf(point) : OTHER
    let signature = String(kind)
    for (const teller of this.tellers) signature += teller.matchRune(point) ? 'y' : 'n'
    let id = this.classes.get(signature)
    if (id === undefined) {
      id = this.samples.length
      this.classes.set(signature, id)
      this.samples.push(point)
      this.kinds.push(kind)
    }
    return id
  }
}

function compiled(source: string): { inst: Instruction[]; start: number } {
  let program: { inst: Instruction[]; start: number }
  try {
    program = RE2JS.compile(source).re2().prog as typeof program
  } catch (error) {
    throw new RegexError(error instanceof Error ? error.message : 'the expression is malformed')
  }
  if (program.inst.length > INSTRUCTIONS_MAX)
    throw tooMuch(`makes more than ${INSTRUCTIONS_MAX} steps, repetitions written out`)
  return program
}

const tooMuch = (what: string): RegexError =>
  new RegexError(`the expression ${what}: too many to replace by`)

function plainOp({ op }: Instruction): number {
  if (op === SPLIT_MATCH) return SPLIT
  if (op > RUNE_LAST) return FAIL // looking behind, which the parser has refused
  return op > RUNE ? RUNE : op
}

const keyOf = ({ runes, arg }: Instruction): string => `${arg}:${Array.from(runes).join()}`

function kindOf(point: number): number {
  if (point === 10) return NEWLINE
  const lower = point | 32
  const isWord = (lower >= 97 && lower <= 122) || (point >= 48 && point <= 57) || point === 95
  return isWord && point < 128 ? WORD : OTHER
}

// What EMPTY_WIDTH may pass between characters of these kinds.
export function between(left: number, right: number): number {
  let flags = (left === WORD) === (right === WORD) ? NO_WORD_BOUNDARY : WORD_BOUNDARY
  if (left <= NEWLINE) flags |= left === EDGE ? BEGIN_LINE | BEGIN_TEXT : BEGIN_LINE
  if (right <= NEWLINE) flags |= right === EDGE ? END_LINE | END_TEXT : END_LINE
  return flags
}
