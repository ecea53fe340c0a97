// core/middleware/http/sniff.ts: which media type the first bytes of a body look like.
//
// Owner:  nobody; pure functions over the caller's bytes. Hot: once per response that has no type, bounded by SNIFF_BYTES.
// The patterns and their order are those of the MIME Sniffing Standard (mimesniff.spec.whatwg.org, section 7.1), with
// the names that Go's http.DetectContentType gives the results, because Traefik sends those.

export const SNIFF_BYTES = 512

const HTML = 'text/html; charset=utf-8'
const TEXT = 'text/plain; charset=utf-8'
const BINARY = 'application/octet-stream'

// A text of latin1 characters, where "." stands for any byte, and the type that it means at the very beginning.
const signatures: readonly (readonly [pattern: string, type: string])[] = [
  ['%PDF-', 'application/pdf'],
  ['%!PS-Adobe-', 'application/postscript'],
  ['\xfe\xff..', 'text/plain; charset=utf-16be'],
  ['\xff\xfe..', 'text/plain; charset=utf-16le'],
  ['\xef\xbb\xbf.', TEXT],
  ['\x00\x00\x01\x00', 'image/x-icon'],
  ['\x00\x00\x02\x00', 'image/x-icon'],
  ['BM', 'image/bmp'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['RIFF....WEBPVP', 'image/webp'],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['FORM....AIFF', 'audio/aiff'],
  ['ID3', 'audio/mpeg'],
  ['OggS\x00', 'application/ogg'],
  ['MThd\x00\x00\x00\x06', 'audio/midi'],
  ['RIFF....AVI ', 'video/avi'],
  ['RIFF....WAVE', 'audio/wave'],
  ['\x1a\x45\xdf\xa3', 'video/webm'],
  ['.'.repeat(34) + 'LP', 'application/vnd.ms-fontobject'],
  ['\x00\x01\x00\x00', 'font/ttf'],
  ['OTTO', 'font/otf'],
  ['ttcf', 'font/collection'],
  ['wOFF', 'font/woff'],
  ['wOF2', 'font/woff2'],
  ['\x1f\x8b\x08', 'application/x-gzip'],
  ['PK\x03\x04', 'application/zip'],
  ['Rar!\x1a\x07\x00', 'application/x-rar-compressed'],
  ['Rar!\x1a\x07\x01\x00', 'application/x-rar-compressed'],
  ['\x00asm', 'application/wasm'],
]

// Behind white space, in any case, and then a space or ">".
const MARKUP =
  /^[\t\n\f\r ]*(?:<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P|!--)[ >])/i
const XML = /^[\t\n\f\r ]*<\?xml/
// oxlint-disable-next-line no-control-regex -- these are what no text holds
const NO_TEXT = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/

// bytes[from..to) is how the body begins; not empty.
export function typeOf(bytes: Uint8Array, from: number, to: number): string {
  const text = latin1(bytes, from, Math.min(to, from + SNIFF_BYTES))
  if (MARKUP.test(text)) return HTML
  if (XML.test(text)) return 'text/xml; charset=utf-8'
  for (const [pattern, type] of signatures) if (begins(text, pattern)) return type
  if (isMp4(text)) return 'video/mp4'
  return NO_TEXT.test(text) ? BINARY : TEXT
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!)
  return text
}

function begins(text: string, pattern: string): boolean {
  if (text.length < pattern.length) return false
  for (let i = 0; i < pattern.length; i++)
    if (pattern[i] !== '.' && text[i] !== pattern[i]) return false
  return true
}

// Section 6.2.1: a box "ftyp" of a length that is here, with a brand "mp4"; what stands at 12 is a version.
function isMp4(text: string): boolean {
  if (text.length < 12 || text.slice(4, 8) !== 'ftyp') return false
  let length = 0
  for (let i = 0; i < 4; i++) length = length * 256 + text.charCodeAt(i)
  if (text.length < length || length % 4 !== 0) return false
  for (let at = 8; at < length; at += 4)
    if (at !== 12 && text.slice(at, at + 3) === 'mp4') return true
  return false
}
