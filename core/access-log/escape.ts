// core/access-log/escape.ts: text from a peer made safe to stand in a line of a log.
//
// Hot:    yes, when the access log is on. Most text needs nothing and is returned as it is.
//
// Text here is latin1: character i is byte i of the wire. What leaves this file is such that no peer can end a
// line, close a quote or send a control sequence to the operator's terminal.

const PLAIN = 0
const ODD = 1
const HIGH = 2 // a byte above ASCII: UTF-8, or anything

const kinds = new Uint8Array(256)
for (let c = 0; c < 256; c++) kinds[c] = c < 0x20 || c === 0x7f ? ODD : c > 0x7f ? HIGH : PLAIN
kinds[0x22] = ODD // "
kinds[0x5c] = ODD // \

// Anything but printable ASCII, and quote and backslash. Nearly no text has any of these.
const SPECIAL = /[^ !#-[\]-~]/

function worstOf(text: string): number {
  let worst = PLAIN
  for (let i = 0; i < text.length; i++) worst |= kinds[text.charCodeAt(i) & 0xff]!
  return worst
}

// For the common formats, as nginx does it: \" and \\, and \xNN for any byte that is not printable ASCII.
export function clfText(text: string): string {
  if (!SPECIAL.test(text)) return text
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (kinds[code & 0xff] === PLAIN) out += text[i]
    else if (code === 0x22 || code === 0x5c) out += '\\' + text[i]
    else out += '\\x' + hexOf(code & 0xff)
  }
  return out
}

// A part of a request line or an address, which stands between spaces: nothing is written as "-".
export function clfWord(text: string): string {
  return text === '' ? '-' : clfText(text).replaceAll(' ', '\\x20')
}

// A JSON string with its quotes. Bytes that are UTF-8 appear as what they mean, others as U+FFFD.
export function jsonText(text: string): string {
  if (!SPECIAL.test(text)) return '"' + text + '"'
  const meant = (worstOf(text) & HIGH) !== 0 ? fromUtf8(text) : text
  return JSON.stringify(meant).replace(HIDDEN, escaped)
}

// JSON.stringify leaves DEL, the C1 controls and the line separators as they are; terminals do not.
const HIDDEN = /[\x7f-\x9f\u2028\u2029]/g

function escaped(character: string): string {
  return '\\u' + character.charCodeAt(0).toString(16).padStart(4, '0')
}

function fromUtf8(text: string): string {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return decoder.decode(bytes)
}

const decoder = new TextDecoder()

function hexOf(code: number): string {
  return (code < 16 ? '0' : '') + code.toString(16)
}
