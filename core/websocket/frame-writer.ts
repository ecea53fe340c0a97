// core/websocket/frame-writer.ts: writes frames as a client must: whole, and masked.
//
// Owner:  one per thread. What it has written is valid until it writes again.
// Hot:    yes. The payload is masked four bytes at a time: the frame is laid so that its payload begins at a
//         multiple of four.

const SCRATCH_BYTES = 64 * 1024 // a larger frame gets memory of its own, once
const PAYLOAD_AT = 16 // before it there is room for the longest head, 14 bytes
const FIN = 128
const MASKED = 128

export class FrameWriter {
  bytes = new Uint8Array(SCRATCH_BYTES)
  start = 0
  end = 0
  private scratch = this.bytes

  // `key`: 32 random bits that the peer can't foresee (RFC 6455, section 5.3).
  write(opcode: number, payload: Uint8Array, key: number): void {
    const { length } = payload
    const needed = PAYLOAD_AT + length + 4
    this.bytes = needed <= SCRATCH_BYTES ? this.scratch : new Uint8Array(needed + (-needed & 3))
    const { bytes } = this
    this.end = PAYLOAD_AT + length
    bytes.set(payload, PAYLOAD_AT)
    this.writeHead(opcode, length, key)
    mask(bytes, length)
  }

  private writeHead(opcode: number, length: number, key: number): void {
    const { bytes } = this
    const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8
    let at = PAYLOAD_AT - 6 - extra
    this.start = at
    bytes[at++] = FIN | opcode
    bytes[at++] = MASKED | (extra === 0 ? length : extra === 2 ? 126 : 127)
    for (let i = extra - 1, rest = length; i >= 0; i--) {
      bytes[at + i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    for (let i = 0; i < 4; i++) bytes[PAYLOAD_AT - 4 + i] = (key >>> (i * 8)) & 255
  }

  // A close frame; code 0 for none.
  writeClose(code: number, reason: Uint8Array, key: number): void {
    const payload = new Uint8Array(code === 0 ? 0 : 2 + Math.min(reason.length, 123))
    if (code !== 0) {
      payload[0] = code >> 8
      payload[1] = code & 255
      payload.set(reason.subarray(0, 123), 2)
    }
    this.write(8, payload, key)
  }
}

// Words of the machine on both sides, so that the order of bytes in them does not matter. The last word may
// reach beyond the payload, where there is room.
function mask(bytes: Uint8Array, length: number): void {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >>> 2)
  const key = words[PAYLOAD_AT / 4 - 1]!
  const end = (PAYLOAD_AT + length + 3) >>> 2
  for (let i = PAYLOAD_AT / 4; i < end; i++) words[i] = words[i]! ^ key
}
