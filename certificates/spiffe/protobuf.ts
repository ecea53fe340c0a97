// certificates/spiffe/protobuf.ts: reads Protocol Buffers, as far as the messages of the Workload API need it: fields that
// have a length. Others are passed over. Bounded by the bytes it is given. Hot: no.
//
// By hand, because the two messages have nine fields between them and a library would be loaded for nothing else.

import { Buffer } from 'node:buffer'

export class ProtobufError extends Error {}

export interface Field {
  readonly number: number
  readonly bytes: Buffer
}

const VARINT = 0
const FIXED64 = 1
const WITH_LENGTH = 2
const FIXED32 = 5
const VARINT_BYTES_MAX = 10
const FIELDS_MAX = 10_000

// The fields with a length, in order; the same number may come again and again.
export function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = []
  const at = { position: 0 }
  for (let count = 0; at.position < message.length; count++) {
    if (count === FIELDS_MAX) throw new ProtobufError('too many fields')
    const key = varint(message, at)
    const number = Math.floor(key / 8)
    const kind = key % 8
    if (number === 0) throw new ProtobufError('field 0')
    if (kind === VARINT) varint(message, at)
    else if (kind === WITH_LENGTH)
      fields.push({ number, bytes: take(message, at, varint(message, at)) })
    else if (kind === FIXED64) take(message, at, 8)
    else if (kind === FIXED32) take(message, at, 4)
    else throw new ProtobufError(`wire type ${kind}`)
  }
  return fields
}

// Exact up to 2 ** 53, which no length reaches.
function varint(message: Buffer, at: { position: number }): number {
  let value = 0
  for (let i = 0; i < VARINT_BYTES_MAX; i++) {
    const byte = message[at.position++]
    if (byte === undefined) throw new ProtobufError('cut short')
    value += (byte & 127) * 2 ** (7 * i)
    if (byte < 128) return value
  }
  throw new ProtobufError('a number of more than 64 bits')
}

function take(message: Buffer, at: { position: number }, length: number): Buffer {
  const end = at.position + length
  if (end > message.length) throw new ProtobufError('cut short')
  const bytes = message.subarray(at.position, end)
  at.position = end
  return bytes
}
