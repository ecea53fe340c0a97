// core/regex/work.ts: what an expression may still spend on a text. Hot: yes.
//
// There is no clock in core, and a body that passes or not by how busy the machine is would be a riddle. So steps are
// counted, in characters that pass through a table of states: 5 to 8 ns each.

export const LOOK_COST = 10 // at a place of the program, or a set of characters

export class Work {
  left: number

  constructor(units: number) {
    this.left = units
  }

  get isSpent(): boolean {
    return this.left < 0
  }

  spend(units: number): void {
    this.left -= units
  }
}
