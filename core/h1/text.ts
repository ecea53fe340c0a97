// core/h1/text.ts: which bytes may stand where in HTTP/1, as tables, and the checks built on them.
//
// Owner:  nobody; constants and pure functions.
// Hot:    yes. One table read per byte. A string here is latin1: character i is byte i of the wire.
//
// Everything that is put into a head and was computed from a peer's bytes or from configuration must pass
// isToken / isFieldValue / isTarget first: that is what keeps CR and LF out of what Sluice sends
// (CVE-2026-1527: a request split in two by an unchecked header).

declare global {
  interface Buffer {
    latin1Slice(start?: number, end?: number): string // toString('latin1') without its argument checks
  }
}

export const HTAB = 9
export const LF = 10
export const CR = 13
export const SP = 32
export const COLON = 58

// Bits of byteClass.
export const TOKEN = 1 // tchar, RFC 9110 section 5.6.2
export const FIELD = 2 // a byte of a field value: HTAB, SP, visible ASCII, obs-text (0x80-0xff)
export const TARGET = 4 // a byte of a request target: visible ASCII but "#"
export const HEX = 8
export const DIGIT = 16
export const ALIAS = 32 // "_" and ".": some servers read them as "-" in a header name
export const NAME = 64 // a byte of a registered name; see isHostPort
export const QUOTED = 128 // a byte inside a quoted string, "\" and the quote itself left out

export const byteClass = new Uint8Array(256)

function mark(bit: number, from: number, to: number): void {
  for (let c = from; c <= to; c++) byteClass[c] = byteClass[c]! | bit
}

function markEach(bit: number, characters: string): void {
  for (let i = 0; i < characters.length; i++)
    mark(bit, characters.charCodeAt(i), characters.charCodeAt(i))
}

const LETTERS_AND_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
markEach(TOKEN, "!#$%&'*+-.^_`|~" + LETTERS_AND_DIGITS)
mark(FIELD, 0x20, 0x7e)
mark(FIELD, 0x80, 0xff)
mark(FIELD, HTAB, HTAB)
mark(TARGET, 0x21, 0x7e)
byteClass[0x23] = byteClass[0x23]! & ~TARGET
markEach(HEX, '0123456789ABCDEFabcdef')
markEach(DIGIT, '0123456789')
markEach(ALIAS, '_.')
markEach(NAME, '-._~' + LETTERS_AND_DIGITS)
mark(QUOTED, 0x20, 0x7e)
mark(QUOTED, HTAB, HTAB)
byteClass[0x22] = byteClass[0x22]! & ~QUOTED
byteClass[0x5c] = byteClass[0x5c]! & ~QUOTED

// Whether every character of text[from..to) has the bit; an empty range has.
export function isAll(bit: number, text: string, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i)
    if (c > 255 || (byteClass[c]! & bit) === 0) return false
  }
  return true
}

export function isToken(s: string): boolean {
  return s.length > 0 && isAll(TOKEN, s, 0, s.length)
}

// A value as it may be sent: no byte that ends a line, no white space around it.
export function isFieldValue(s: string): boolean {
  if (s.length === 0) return true
  if (isSpace(s.charCodeAt(0)) || isSpace(s.charCodeAt(s.length - 1))) return false
  return isAll(FIELD, s, 0, s.length)
}

// A request target, or a piece of one, as it may be sent. Not empty.
export function isTarget(s: string): boolean {
  return s.length > 0 && isAll(TARGET, s, 0, s.length)
}

export function isSpace(c: number): boolean {
  return c === SP || c === HTAB
}

// The value of a hexadecimal digit, or -1.
export const hexValue = new Int8Array(256).fill(-1)
for (let i = 0; i < 16; i++) {
  hexValue['0123456789abcdef'.charCodeAt(i)] = i
  hexValue['0123456789ABCDEF'.charCodeAt(i)] = i
}

// Whether text[from..to) is `word` (lower case, ASCII), whatever its case. `| 32` would take "@" for "`"
// and the like, so only letters are folded.
export function isWord(text: string, from: number, to: number, word: string): boolean {
  if (to - from !== word.length) return false
  for (let i = 0; i < word.length; i++) {
    const c = text.charCodeAt(from + i)
    if ((c >= 65 && c <= 90 ? c + 32 : c) !== word.charCodeAt(i)) return false
  }
  return true
}

const DECIMAL_DIGITS_MAX = 16 // 2^53 - 1 has 16

// text[from..to) as a plain decimal number up to 2^53 - 1, or -1. A leading zero is refused: "010" is ten
// to RFC 9110 and eight to a server that reads octal.
export function decimalOf(text: string, from: number, to: number): number {
  const length = to - from
  if (length === 0 || length > DECIMAL_DIGITS_MAX) return -1
  if (length > 1 && text.charCodeAt(from) === 48) return -1
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1
}

// Whether only spaces stand between a header's colon and its value, and behind it up to CR. A tab is lawful
// there too, but "chunked" next to one is not "chunked" to every server (llhttp refuses it behind the value).
export function isPaddedPlainly(
  text: string,
  afterColon: number,
  from: number,
  to: number,
): boolean {
  for (let i = afterColon; i < from; i++) if (text.charCodeAt(i) !== SP) return false
  for (let i = to; text.charCodeAt(i) !== CR; i++) if (text.charCodeAt(i) !== SP) return false
  return true
}

// Transfer-Encoding exactly "chunked": header line at offsets[4 * line..] of text.
export function isChunked(text: string, offsets: Int32Array, line: number): boolean {
  const from = offsets[line * 4 + 2]!
  const to = offsets[line * 4 + 3]!
  return (
    isWord(text, from, to, 'chunked') && isPaddedPlainly(text, offsets[line * 4 + 1]! + 1, from, to)
  )
}
