// core/h2/request-trailers.ts: the trailers of an HTTP/2 request, into a head as HTTP/1 would have brought it.
//
// Owner:  a worker has one; the head that take() returns is the receiver's until the next section is begun.
// Hot:    no: gRPC clients send none, others hardly ever.

import { H2_HEAD, NONE, TRAILERS_TOO_LARGE, TRAILER_INVALID } from '../errors.ts'
import { Head } from '../headers.ts'
import { findForbidden } from '../h1/trailers.ts'
import { trailerLimits } from '../limits.ts'
import type { FieldSink } from './hpack-decoder.ts'
import { type Field, REGULAR } from './hpack-table.ts'

export class RequestTrailers implements FieldSink {
  readonly head = new Head()
  code = NONE
  private text = ''

  begin(): void {
    this.head.clear()
    this.code = NONE
    this.text = ''
  }

  field(field: Field): void {
    if (this.code !== NONE) return
    const { head } = this
    const { name, value } = field
    if (name.pseudo !== REGULAR) this.code = H2_HEAD // RFC 9113, section 8.1
    else if (field.error !== NONE) this.code = TRAILER_INVALID
    else if (head.count >= trailerLimits.headerCountMax) this.code = TRAILERS_TOO_LARGE
    if (this.code !== NONE) return
    head.grow()
    const at = head.count * 4
    head.offsets[at] = this.text.length
    head.offsets[at + 1] = this.text.length + name.text.length
    head.offsets[at + 2] = this.text.length + name.text.length + 2
    this.text += name.text + ': ' + value
    head.offsets[at + 3] = this.text.length
    this.text += '\r\n'
    head.ids[head.count++] = name.id
    if (this.text.length > trailerLimits.headBytesMax) this.code = TRAILERS_TOO_LARGE
  }

  // Returns NONE or a code.
  finish(): number {
    this.head.linesEnd = this.text.length
    this.head.text = this.text + '\r\n'
    this.text = ''
    if (this.code === NONE && findForbidden(this.head) !== NONE) this.code = TRAILER_INVALID
    return this.code
  }
}
