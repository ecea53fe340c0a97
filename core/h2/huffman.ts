// core/h2/huffman.ts: the string code of HPACK (RFC 7541, section 5.2 and appendix B).
//
// Owner:  nobody; tables made at start and functions over bytes.
// Hot:    yes. Decoding takes two table reads per byte of input, encoding one per character.
//
// The code is canonical: codes of one length follow each other in the order of their symbols. So the lengths
// say all; huffman.test.ts compares the result with another implementation for every byte.

// prettier-ignore
const LENGTHS =
  'd n s s s s s s s o u s s u s s s s s s s s u s s s s s s s s s ' +
  '6 a a c d 6 8 b a a 8 b 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 f 6 c a ' +
  'd 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 d j d e 6 ' +
  'f 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 f b e d s ' +
  'k m k k m m m n m n n n n n o n o o m n o n n n n l m n m n n o ' +
  'm l k m m n n l n m m o l m n n l l m l n m n n k m m m n m m n ' +
  'q q k j m n m p q q q r r q o p j l q r r q r o l l q q s r r r ' +
  'k o k l m l l n m m p p o o q n q r q q r r r r r s r r r r r q ' +
  'u'
const EOS = 256
const SYMBOLS = 257

const codes = new Uint32Array(SYMBOLS)
const lengths = Uint8Array.from(LENGTHS.split(' '), (digit) => Number.parseInt(digit, 36))

// The tree as an array of pairs: children of node n at 2n and 2n+1; leaves are -1 - symbol.
const tree: number[] = [0, 0]

function assignCodes(): void {
  let code = 0
  for (let length = 5; length <= 30; length++) {
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      if (lengths[symbol] !== length) continue
      codes[symbol] = code
      plant(symbol, code, length)
      code++
    }
    code *= 2
  }
}

function plant(symbol: number, code: number, length: number): void {
  let node = 0
  for (let bit = length - 1; bit > 0; bit--) {
    const at = node * 2 + ((code >>> bit) & 1)
    if (tree[at] === 0) {
      tree[at] = tree.length / 2
      tree.push(0, 0)
    }
    node = tree[at]!
  }
  tree[node * 2 + (code & 1)] = -1 - symbol
}

assignCodes()

// Four bits at a time: step[node * 16 + bits] is the next node, with the symbol that was completed on the way.
const NODES = tree.length / 2
const COMPLETED = 1 << 17 // bits 9 to 16 hold the symbol
const FAILED = 1 << 18 // the end-of-string code, which may not appear
const NODE_MASK = 511
const step = new Int32Array(NODES * 16)
const mayEnd = new Uint8Array(NODES) // reached by at most seven one bits since a symbol: padding

function fillSteps(): void {
  for (let node = 0; node < NODES; node++) {
    for (let bits = 0; bits < 16; bits++) step[node * 16 + bits] = stepFrom(node, bits)
  }
  let node = 0
  for (let ones = 0; ones <= 7; ones++) {
    mayEnd[node] = 1
    node = tree[node * 2 + 1]!
  }
}

// No code is shorter than five bits, so four of them complete one symbol at the most.
function stepFrom(from: number, bits: number): number {
  let node = from
  let result = 0
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node * 2 + ((bits >>> bit) & 1)]!
    if (next >= 0) {
      node = next
      continue
    }
    const symbol = -1 - next
    if (symbol === EOS) return FAILED
    result = COMPLETED | (symbol << 9)
    node = 0
  }
  return result | node
}

fillSteps()

// Decodes bytes[from..to) into `out`, which holds at least 8/5 of their number. Returns the length, or -1.
export function huffmanDecode(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
): number {
  let node = 0
  let length = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    let next = step[node * 16 + (byte >>> 4)]!
    if ((next & COMPLETED) !== 0) out[length++] = (next >>> 9) & 255
    const second = step[(next & NODE_MASK) * 16 + (byte & 15)]!
    if (((next | second) & FAILED) !== 0) return -1
    next = second
    if ((next & COMPLETED) !== 0) out[length++] = (next >>> 9) & 255
    node = next & NODE_MASK
  }
  return mayEnd[node] === 1 ? length : -1
}

// For tests and for requests that tests make: answers go out as they are, since the time that encoding takes
// buys a client some twenty bytes of a head.
export function huffmanEncode(text: string): number[] {
  const out: number[] = []
  let bits = 0
  let held = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i)
    for (let bit = lengths[symbol]! - 1; bit >= 0; bit--) {
      held = (held << 1) | ((codes[symbol]! >>> bit) & 1)
      if (++bits < 8) continue
      out.push(held)
      bits = 0
      held = 0
    }
  }
  if (bits > 0) out.push((held << (8 - bits)) | (255 >>> bits))
  return out
}
