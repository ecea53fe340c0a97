// core/tls/server-name.ts: the one spelling of a name that a client asks for or a certificate carries.
//
// Owner:  nobody; pure functions. Hot: no, once per connection.
//
// Names decide which certificate, which options and which server a connection gets, so whatever could be
// read in two ways (NUL, white space, bytes beyond ASCII, empty labels) is no name at all here.

export const NAME_LENGTH_MAX = 253 // RFC 1035, without the trailing dot
const LABEL_LENGTH_MAX = 63

const DOT = 46

// 'Example.ORG.' -> 'example.org'; null when it is no name. bytes[from..to) as they lie on the wire.
export function nameOfBytes(bytes: Uint8Array, from: number, to: number): string | null {
  const end = to > from && bytes[to - 1] === DOT ? to - 1 : to
  if (end === from || end - from > NAME_LENGTH_MAX) return null
  let name = ''
  let label = 0
  for (let i = from; i < end; i++) {
    const c = bytes[i]!
    if (c === DOT ? label === 0 : !isNameByte(c) || ++label > LABEL_LENGTH_MAX) return null
    if (c === DOT) label = 0
    name += String.fromCharCode(c >= 65 && c <= 90 ? c + 32 : c)
  }
  return label === 0 ? null : name
}

// The same for text, as of a rule or a certificate.
export function nameOfText(text: string): string | null {
  if (text.length > NAME_LENGTH_MAX + 1) return null
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c > 0x7f) return null
    bytes[i] = c
  }
  return nameOfBytes(bytes, 0, bytes.length)
}

// Letters, digits, "-" and "_": the last is in no host name, but in names that people use.
function isNameByte(c: number): boolean {
  return (
    (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 45 || c === 95
  )
}
