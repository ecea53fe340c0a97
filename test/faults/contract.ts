// test/faults/contract.ts: one fault, what is done about it, and what must come of it.
//
// Numbers are those of the plan of faults that the project keeps (1 to 44). `smoke` rows run with every change, in a
// shorter form; `make faults` runs all of them at full size.

export interface Size {
  readonly full: boolean
}

export interface Finding {
  readonly measured: string
  readonly ok: boolean
}

export interface FaultRow {
  readonly number: number
  readonly name: string
  readonly accept: string // what must be reached
  readonly smoke: boolean
  // A reason when the row can't run here: a program or a right is missing.
  readonly missing?: (size: Size) => string
  run(size: Size): Promise<Finding>
}

export function finding(ok: boolean, measured: string): Finding {
  return { ok, measured }
}
