// core/base64-pieces.ts: base64 (RFC 4648, section 4) that comes and goes in pieces.
//
// Owner:  whoever rewrites a body. Pure. Hot: per piece.
//
// What is read may be padded anywhere between groups of four, because peers encode message by message; what is
// written is padded at the end of each piece for the same reason: a message that waited for the next one to
// complete a group would be late.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const PAD = 61
const BAD = 255

const values = new Uint8Array(256).fill(BAD)
const digits = new Uint8Array(64)
for (let i = 0; i < 64; i++) {
  digits[i] = ALPHABET.charCodeAt(i)
  values[digits[i]!] = i
}

export class Base64Reader {
  bad = false // what came is no base64
  private bits = 0
  private held = 0 // characters of the group under way
  private pads = 0

  decode(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const out = new Uint8Array(Math.ceil(((to - from + this.held) * 3) / 4))
    let length = 0
    for (let at = from; at < to && !this.bad; at++) {
      const byte = bytes[at]!
      if (byte === PAD) this.pads++
      else if (this.pads > 0 || values[byte] === BAD) this.bad = true
      this.bits = (this.bits << 6) | (byte === PAD ? 0 : values[byte]! & 63)
      if (++this.held < 4) continue
      if (this.pads > 2) this.bad = true
      for (let i = 0; i < 3 - this.pads; i++) out[length++] = (this.bits >>> (16 - 8 * i)) & 255
      this.bits = 0
      this.held = 0
      this.pads = 0
    }
    return out.subarray(0, this.bad ? 0 : length)
  }

  // Whether nothing of a group is missing.
  get isWhole(): boolean {
    return !this.bad && this.held === 0
  }
}

export function encodeBase64(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const out = new Uint8Array(Math.ceil((to - from) / 3) * 4)
  let length = 0
  for (let at = from; at < to; at += 3) {
    const left = to - at
    const group =
      (bytes[at]! << 16) | ((left > 1 ? bytes[at + 1]! : 0) << 8) | (left > 2 ? bytes[at + 2]! : 0)
    out[length++] = digits[group >>> 18]!
    out[length++] = digits[(group >>> 12) & 63]!
    out[length++] = left > 1 ? digits[(group >>> 6) & 63]! : PAD
    out[length++] = left > 2 ? digits[group & 63]! : PAD
  }
  return out
}
