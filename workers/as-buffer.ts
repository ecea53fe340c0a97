// workers/as-buffer.ts: the bytes of core as Node's streams take them: the same memory, another name. Hot: yes.

import { Buffer } from 'node:buffer'

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
