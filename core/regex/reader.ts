// core/regex/reader.ts: the state of reading one expression, shared by the parts of the parser. Not hot.

export class RegexError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'RegexError'
  }
}

export interface Flags {
  readonly fold: boolean // i
  readonly lines: boolean // m
  readonly dotAll: boolean // s
  readonly swap: boolean // U: lazy by default
}

export interface Reader {
  readonly source: string
  at: number
  flags: Flags
  depth: number
  exotic: boolean
  groupNames: string[]
}
