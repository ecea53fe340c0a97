// core/percent.ts: percent-encoding and UTF-8 on strings.
//
// Hot: only for requests that hold an escape. Bytes that arrived are held as latin1 (character = byte);
// what rules look at is text. A byte that is not part of legal UTF-8 becomes U+DC00 + byte: one
// character, as for Go's regular expressions, that equals no character of any rule and no other byte.

// The value of a hexadecimal digit; -1 for any other character.
export function hexOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

// The byte that the escape at `at` ("%41") stands for; -1 when it is malformed.
export function escapeAt(text: string, at: number): number {
  if (at + 2 >= text.length) return -1
  const high = hexOf(text.charCodeAt(at + 1))
  const low = hexOf(text.charCodeAt(at + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

// A query key or value as Go's url.ParseQuery reads it; null when an escape is malformed.
export function decodeQueryText(raw: string): string | null {
  let bytes = ''
  let plain = true // only ASCII so far
  for (let i = 0; i < raw.length; i++) {
    let code = raw.charCodeAt(i)
    if (code === 43) code = 32
    else if (code === 37) {
      code = escapeAt(raw, i)
      if (code < 0) return null
      i += 2
    }
    if (code >= 128) plain = false
    bytes += String.fromCharCode(code)
  }
  return plain ? bytes : textOfBytes(bytes)
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) >= 128) return false
  return true
}

// latin1 bytes as the text that they spell in UTF-8.
export function textOfBytes(bytes: string): string {
  let text = ''
  for (let i = 0; i < bytes.length;) {
    const code = bytes.charCodeAt(i)
    const length = code < 128 ? 1 : sequenceLength(bytes, i, code)
    if (length === 0) text += String.fromCharCode(0xdc00 + code)
    else text += length === 1 ? bytes[i]! : String.fromCodePoint(codePointAt(bytes, i, length))
    i += length === 0 ? 1 : length
  }
  return text
}

// Length of the UTF-8 sequence that begins with `first`; 0 when it is not legal (RFC 3629, section 4).
function sequenceLength(bytes: string, at: number, first: number): number {
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  for (let i = 1; i < length; i++) {
    if (at + i >= bytes.length || (bytes.charCodeAt(at + i) & 0xc0) !== 0x80) return 0
  }
  if (length < 3) return length
  const point = codePointAt(bytes, at, length)
  if (length === 3) return point < 0x800 || (point >= 0xd800 && point <= 0xdfff) ? 0 : 3
  return point < 0x10000 || point > 0x10ffff ? 0 : 4
}

function codePointAt(bytes: string, at: number, length: number): number {
  let point = bytes.charCodeAt(at) & (0xff >> (length + 1))
  for (let i = 1; i < length; i++) point = point * 64 + (bytes.charCodeAt(at + i) & 0x3f)
  return point
}

// Text as the latin1 bytes of its UTF-8, to compare with bytes that arrived.
export function bytesOfText(text: string): string {
  if (isAscii(text)) return text
  let bytes = ''
  for (const character of text) {
    const point = character.codePointAt(0)!
    if (point < 0x80) bytes += character
    else if (point < 0x800) bytes += tailed(0xc0 | (point >> 6), point, 1)
    else if (point < 0x10000) bytes += tailed(0xe0 | (point >> 12), point, 2)
    else bytes += tailed(0xf0 | (point >> 18), point, 3)
  }
  return bytes
}

function tailed(first: number, point: number, tail: number): string {
  let bytes = String.fromCharCode(first)
  for (let i = tail - 1; i >= 0; i--) {
    bytes += String.fromCharCode(0x80 | ((point >> (6 * i)) & 0x3f))
  }
  return bytes
}
