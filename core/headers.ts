// core/headers.ts: the head of a message (request, response or trailers) as text plus positions.
//
// Owner:  the exchange (or connection) that holds it; reused from message to message.
// Hot:    yes. Parsing writes numbers, looking up compares numbers, sending copies ranges.
//
// A head is decoded once as latin1 (`text`), so byte i of the wire is character i of the text. Header
// line i begins at offsets[4i] and ends where line i+1 begins (CR LF included), because folded lines are
// refused. Changing a head never edits the text: a line is dropped by its id, and a new one is kept in
// `extraNames/extraValues`. Sending merges the lines that stay into as few ranges as possible:
//
//   text      "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: *\r\n\r\n"
//   lines                        [0 host ][1 connection, dropped][2 accept]
//   sent      "GET /a HTTP/1.1\r\n" + "Host: x\r\n" + "Accept: *\r\n" + extras + "\r\n"

import { DROPPED, UNKNOWN, headerIdOf, headerNames } from './header-ids.ts'

const LINES_AT_START = 32 // grows by doubling up to the head's own count limit

// A line that configuration asks for, known before any message is there; made by middleware/header-line.ts.
export interface HeaderLine {
  readonly name: string // as it is sent
  readonly lower: string
  readonly id: number // of header-ids.ts
  readonly value: string // latin1 bytes; '' removes the header
  readonly text: string // all of it, with its CR LF
}

export class Head {
  text = ''
  linesStart = 0 // where line 0 begins: just after the start line
  linesEnd = 0 // just after the CR LF of the last line
  count = 0 // lines in text, dropped ones included
  offsets = new Int32Array(LINES_AT_START * 4) // name start, name end, value start, value end
  ids = new Uint8Array(LINES_AT_START) // what each line is: see header-ids.ts
  extraCount = 0
  readonly extraNames: string[] = []
  readonly extraValues: string[] = []
  private readonly extraLines: (HeaderLine | null)[] = [] // where the extra is one: nothing of it has to be made

  clear(): void {
    this.text = ''
    this.linesStart = 0
    this.linesEnd = 0
    this.count = 0
    this.extraCount = 0
  }

  // Becomes the same head, independent of the other one.
  copyFrom(head: Head): void {
    this.clear()
    this.text = head.text
    this.linesStart = head.linesStart
    this.linesEnd = head.linesEnd
    this.count = head.count
    this.offsets = head.offsets.slice()
    this.ids = head.ids.slice()
    for (let i = 0; i < head.extraCount; i++) {
      this.add(head.extraNames[i]!, head.extraValues[i]!)
      this.extraLines[i] = head.extraLines[i]!
    }
  }

  // Called by the parser before it writes line number `count`.
  grow(): void {
    if (this.count < this.ids.length) return
    const offsets = new Int32Array(this.offsets.length * 2)
    offsets.set(this.offsets)
    this.offsets = offsets
    const ids = new Uint8Array(this.ids.length * 2)
    ids.set(this.ids)
    this.ids = ids
  }

  nameAt(line: number): string {
    const id = this.ids[line]!
    if (id !== UNKNOWN && id !== DROPPED) return headerNames[id]!
    return this.text.slice(this.offsets[line * 4]!, this.offsets[line * 4 + 1]!).toLowerCase()
  }

  // The name as it was spelled on the wire.
  spellingAt(line: number): string {
    return this.text.slice(this.offsets[line * 4]!, this.offsets[line * 4 + 1]!)
  }

  valueAt(line: number): string {
    return this.text.slice(this.offsets[line * 4 + 2]!, this.offsets[line * 4 + 3]!)
  }

  // The first line that holds this known header, -1 when none does. Extras are not looked at.
  lineOf(id: number): number {
    for (let line = 0; line < this.count; line++) if (this.ids[line] === id) return line
    return -1
  }

  // The first value of a header; `name` in lower case. null when the header is absent.
  get(name: string): string | null {
    return this.getNamed(name, headerIdOf(name))
  }

  // The same for a header with a number, which need not be looked up.
  getId(id: number): string | null {
    return this.getNamed(headerNames[id]!, id)
  }

  private getNamed(name: string, id: number): string | null {
    const line = this.findLine(name, id, 0)
    if (line >= 0) return this.valueAt(line)
    for (let i = 0; i < this.extraCount; i++) {
      if (this.isExtra(i, name)) return this.extraValues[i]!
    }
    return null
  }

  has(name: string): boolean {
    return this.get(name) !== null
  }

  // Every value of a header, in order. Allocates: for rules and middlewares that ask, not for each request.
  getAll(name: string): string[] {
    const id = headerIdOf(name)
    const values: string[] = []
    for (
      let line = this.findLine(name, id, 0);
      line >= 0;
      line = this.findLine(name, id, line + 1)
    ) {
      values.push(this.valueAt(line))
    }
    for (let i = 0; i < this.extraCount; i++) {
      if (this.isExtra(i, name)) values.push(this.extraValues[i]!)
    }
    return values
  }

  drop(line: number): void {
    this.ids[line] = DROPPED
  }

  remove(name: string): void {
    this.removeNamed(name, headerIdOf(name))
  }

  // `id` is that of the name.
  removeNamed(name: string, id: number): void {
    for (
      let line = this.findLine(name, id, 0);
      line >= 0;
      line = this.findLine(name, id, line + 1)
    ) {
      this.ids[line] = DROPPED
    }
    this.removeExtra(name)
  }

  removeId(id: number): void {
    for (let line = 0; line < this.count; line++)
      if (this.ids[line] === id) this.ids[line] = DROPPED
  }

  // Adds a line. The caller has checked that name and value may be sent (core/h1/text.ts: isToken,
  // isFieldValue); anything that was computed from a peer's bytes must pass them first.
  add(name: string, value: string): void {
    this.extraNames[this.extraCount] = name
    this.extraValues[this.extraCount] = value
    this.extraLines[this.extraCount] = null
    this.extraCount++
  }

  addLine(line: HeaderLine): void {
    const at = this.extraCount
    this.add(line.name, line.value)
    this.extraLines[at] = line
  }

  // The number of an extra's name.
  extraId(i: number): number {
    const line = this.extraLines[i]!
    return line === null ? headerIdOf(this.extraNames[i]!.toLowerCase()) : line.id
  }

  extraText(i: number): string {
    const line = this.extraLines[i]!
    return line === null ? this.extraNames[i]! + ': ' + this.extraValues[i]! + '\r\n' : line.text
  }

  // To a place before it, whose extra is not wanted; whoever has moved all that stay sets extraCount.
  moveExtra(from: number, to: number): void {
    if (from === to) return
    this.extraNames[to] = this.extraNames[from]!
    this.extraValues[to] = this.extraValues[from]!
    this.extraLines[to] = this.extraLines[from]!
  }

  // Replaces all lines of a header by one; `name` in the spelling that is to be sent.
  set(name: string, value: string): void {
    this.remove(name.toLowerCase())
    this.add(name, value)
  }

  private removeExtra(name: string): void {
    let kept = 0
    for (let i = 0; i < this.extraCount; i++) {
      if (this.isExtra(i, name)) continue
      this.moveExtra(i, kept++)
    }
    this.extraCount = kept
  }

  // The length first: a name in lower case is a string that has to be made.
  isExtra(i: number, name: string): boolean {
    const extra = this.extraNames[i]!
    if (extra.length !== name.length) return false
    return (this.extraLines[i]?.lower ?? extra.toLowerCase()) === name
  }

  private findLine(name: string, id: number, from: number): number {
    for (let line = from; line < this.count; line++) {
      const lineId = this.ids[line]!
      if (lineId === DROPPED) continue
      if (id !== UNKNOWN ? lineId === id : lineId === UNKNOWN && this.isName(line, name))
        return line
    }
    return -1
  }

  private isName(line: number, name: string): boolean {
    const start = this.offsets[line * 4]!
    if (this.offsets[line * 4 + 1]! - start !== name.length) return false
    return this.text.slice(start, start + name.length).toLowerCase() === name
  }
}

// The lines that stay, then the extras, each with its CR LF; without the blank line at the end.
// `from` lets the caller take the start line along when it is sent unchanged (from = 0).
export function linesOf(head: Head, from: number): string {
  const { text, ids, offsets, count } = head
  let out = ''
  let start = from
  for (let line = 0; line < count; line++) {
    if (ids[line] !== DROPPED) continue
    const at = offsets[line * 4]!
    if (at > start) out += text.slice(start, at)
    start = line + 1 < count ? offsets[line * 4 + 4]! : head.linesEnd
  }
  if (head.linesEnd > start) out += text.slice(start, head.linesEnd)
  for (let i = 0; i < head.extraCount; i++) {
    out += head.extraText(i)
  }
  return out
}
