// core/h2/hpack-table.ts: the fields that HPACK refers to by number: the fixed ones and the last ones of a client.
//
// Owner:  the decoder of one connection (dynamic part); the fixed part is shared.
// Hot:    yes. What a field means and whether it may stand in a head is found out once, when the field is made;
//         a client that repeats it by number costs a table read.

import { DROPPED, UNKNOWN, headerIdOf } from '../header-ids.ts'
import { HEADER_NAME, HEADER_VALUE, NONE } from '../errors.ts'
import { ALIAS, TOKEN, byteClass, isFieldValue } from '../h1/text.ts'

// What a field is besides a header.
export const REGULAR = 0
export const PSEUDO_METHOD = 1
export const PSEUDO_SCHEME = 2
export const PSEUDO_AUTHORITY = 3
export const PSEUDO_PATH = 4
export const PSEUDO_PROTOCOL = 5
export const PSEUDO_OTHER = 6 // :status and what nobody has defined

const ENTRY_OVERHEAD = 32 // RFC 7541, section 4.1

// The name of a field with what is known of it.
export class FieldName {
  readonly text: string
  readonly pseudo: number
  readonly id: number // see core/header-ids.ts
  readonly alias: boolean // holds "_" or "."
  readonly error: number // HEADER_NAME when it may not be a name

  constructor(text: string) {
    this.text = text
    this.pseudo = pseudoOf(text)
    const id = this.pseudo === REGULAR ? headerIdOf(text) : UNKNOWN
    this.id = id === DROPPED ? UNKNOWN : id
    let seen = 0
    this.error = NONE
    if (this.pseudo === REGULAR) {
      seen = seenIn(text)
      if (text === '' || (seen & BAD) !== 0) this.error = HEADER_NAME
    }
    this.alias = (seen & ALIAS) !== 0
  }
}

const BAD = 1 << 8

// RFC 9113, section 8.2.1: a token, and no capital letter.
function seenIn(name: string): number {
  let seen = 0
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i)
    if (c > 255 || (byteClass[c]! & TOKEN) === 0 || (c >= 65 && c <= 90)) seen |= BAD
    else seen |= byteClass[c]!
  }
  return seen
}

function pseudoOf(name: string): number {
  if (name.charCodeAt(0) !== 58) return REGULAR
  switch (name) {
    case ':method':
      return PSEUDO_METHOD
    case ':scheme':
      return PSEUDO_SCHEME
    case ':authority':
      return PSEUDO_AUTHORITY
    case ':path':
      return PSEUDO_PATH
    case ':protocol':
      return PSEUDO_PROTOCOL
    default:
      return PSEUDO_OTHER
  }
}

export class Field {
  readonly name: FieldName
  readonly value: string
  readonly error: number
  readonly size: number // in the dynamic table

  constructor(name: FieldName, value: string) {
    this.name = name
    this.value = value
    this.error = name.error !== NONE ? name.error : isFieldValue(value) ? NONE : HEADER_VALUE
    this.size = name.text.length + value.length + ENTRY_OVERHEAD
  }
}

// RFC 7541, appendix A. `name` alone has an empty value.
const FIXED =
  ':authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|' +
  ':status 204|:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|' +
  'accept-encoding gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|' +
  'allow|authorization|cache-control|content-disposition|content-encoding|content-language|' +
  'content-length|content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|' +
  'if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|' +
  'max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|' +
  'set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'

function fixedField(entry: string): Field {
  const space = entry.indexOf(' ')
  if (space < 0) return new Field(new FieldName(entry), '')
  return new Field(new FieldName(entry.slice(0, space)), entry.slice(space + 1))
}

// fixedFields[i - 1] is field number i.
export const fixedFields: readonly Field[] = FIXED.split('|').map(fixedField)
export const FIXED_COUNT = fixedFields.length

// Number of a fixed field whose name is this; 0 when there is none.
const numbers = new Map<string, number>()
for (let i = FIXED_COUNT; i > 0; i--) numbers.set(fixedFields[i - 1]!.name.text, i)

export function fixedNumberOf(name: string): number {
  return numbers.get(name) ?? 0
}

// The newest field has number FIXED_COUNT + 1. A ring: nothing moves when the oldest ones go.
export class DynamicTable {
  count = 0
  size = 0
  sizeMax: number // as the client has set it
  private ring: (Field | null)[]
  private newest = 0 // index in `ring` of the last one

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax
    this.ring = []
  }

  // `age` 0 is the newest; null when there is no such field.
  at(age: number): Field | null {
    if (age >= this.count) return null
    return this.ring[(this.newest - age) & (this.ring.length - 1)]!
  }

  // A field larger than the table empties it, and that is no error (RFC 7541, section 4.4).
  add(field: Field): void {
    this.shrinkTo(this.sizeMax - field.size)
    if (field.size > this.sizeMax) return
    if (this.count === this.ring.length) this.grow()
    this.newest = (this.newest + 1) & (this.ring.length - 1)
    this.ring[this.newest] = field
    this.count++
    this.size += field.size
  }

  resize(sizeMax: number): void {
    this.sizeMax = sizeMax
    this.shrinkTo(sizeMax)
  }

  private shrinkTo(size: number): void {
    while (this.count > 0 && this.size > size) {
      const oldest = (this.newest - this.count + 1) & (this.ring.length - 1)
      this.size -= this.ring[oldest]!.size
      this.ring[oldest] = null
      this.count--
    }
  }

  // At the most sizeMax / ENTRY_OVERHEAD fields fit, whatever the client does.
  private grow(): void {
    const { ring, count, newest } = this
    const larger: (Field | null)[] = []
    for (let age = count - 1; age >= 0; age--)
      larger.push(ring[(newest - age) & (ring.length - 1)]!)
    const capacity = Math.max(16, ring.length * 2)
    while (larger.length < capacity) larger.push(null)
    this.ring = larger
    this.newest = count - 1
  }
}
