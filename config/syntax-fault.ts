// A syntax error of one of the parsers, by offset; located.ts turns it into a Problem with line and column.

export class SyntaxFault extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}
