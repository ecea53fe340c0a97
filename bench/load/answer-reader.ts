// bench/load/answer-reader.ts: one small HTTP/1.1 answer, framed by Content-Length, from whatever pieces it comes in.
// Pure.

const LENGTH = /\r\ncontent-length:[ \t]*(\d+)/i
const HEAD_BYTES_MAX = 16_384

export class AnswerReader {
  text = ''

  // The status once the answer is complete; 0: more is to come; -1: this is no answer that we can frame.
  push(bytes: Buffer): number {
    this.text += bytes.toString('latin1')
    const end = this.text.indexOf('\r\n\r\n')
    if (end < 0) return this.text.length > HEAD_BYTES_MAX ? -1 : 0
    const length = LENGTH.exec(this.text.slice(0, end))
    if (length === null) return -1
    const left = end + 4 + Number(length[1]) - this.text.length
    if (left > 0) return 0
    return left < 0 ? -1 : Number(this.text.slice(9, 12)) || -1
  }
}
