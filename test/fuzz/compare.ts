// test/fuzz/compare.ts: puts two readings of the same bytes side by side and names how they differ.
//
// The rule that every name stands for: Sluice may refuse what llhttp reads, or wait, or end the connection
// sooner; it never reads a message that llhttp refuses or reads differently. The few names where Sluice reads
// more are listed in `wider` with the reason why that is safe. Whatever has no name is UNKNOWN, and fails.

import type { Message, Reading } from './codec.ts'
import { isKnownToLlhttp } from './llhttp.ts'
import type { TheirReading } from './llhttp.ts'

export const UNKNOWN = 'UNKNOWN'

export const wider: Record<string, string> = {
  'reads an extension method':
    'llhttp has a list of methods; RFC 9110 section 9.1 lets any token be one, and framing does not depend on it',
}

// Agreement and disagreement, as one word or sentence.
export function compare(ours: Reading, theirs: TheirReading): string {
  const oursDone = ours.messages.filter((message) => message.complete).length
  const theirsDone = theirs.messages.filter((message) => message.complete).length
  const ignored = explainIgnoredUpgrade(ours, theirs)
  if (ignored !== '') return ignored
  const common = Math.min(ours.messages.length, theirs.messages.length)
  for (let i = 0; i < common; i++) {
    const fault = differenceOf(ours.messages[i]!, theirs.messages[i]!)
    if (fault !== '') return `${UNKNOWN}: message ${i} differs: ${fault}`
  }
  if (ours.messages.length > theirs.messages.length) return explainWider(ours, theirs)
  if (oursDone > theirsDone)
    return `${UNKNOWN}: ends a message that llhttp does not (${theirs.error})`
  if (ours.error !== '' && theirs.error !== '') {
    return oursDone === theirsDone ? 'both refuse' : `stricter, earlier: ${ours.error}`
  }
  if (ours.error !== '') return `stricter: ${ours.error}`
  if (theirs.error !== '') return explainQuiet(ours, theirs, oursDone, theirsDone)
  if (ours.rest > 0 && ours.messages.length < theirs.messages.length) {
    return 'stricter: connection not reused'
  }
  const alike = oursDone === theirsDone && ours.messages.length === theirs.messages.length
  return alike ? 'both accept' : UNKNOWN
}

// llhttp stops at any upgrade; Sluice does not switch to HTTP/2 in clear text, nor in HTTP/1.0, nor without an
// Upgrade header, so for it the next bytes are the body or the next request.
function explainIgnoredUpgrade(ours: Reading, theirs: TheirReading): string {
  if (!theirs.upgrade || ours.tunnel) return ''
  const last = theirs.messages.length - 1
  const message = ours.messages[last]
  if (message === undefined) return ''
  for (let i = 0; i < last; i++) {
    if (differenceOf(ours.messages[i]!, theirs.messages[i]!) !== '') return ''
  }
  if (message.start !== theirs.messages[last]!.start) return ''
  const clear = message.headers.some((line) => /^upgrade:.*\b(h2c?|http)\b/i.test(line))
  return clear || message.start.endsWith(' 1.0')
    ? 'alike: an upgrade that RFC 9110 lets a server ignore'
    : ''
}

// They refuse, we have said nothing yet.
function explainQuiet(
  ours: Reading,
  theirs: TheirReading,
  oursDone: number,
  theirsDone: number,
): string {
  if (ours.tunnel) return 'alike: the rest is a tunnel'
  if (ours.rest > 0) {
    if (theirs.error === 'HPE_CLOSED_CONNECTION') return 'alike: bytes behind the last message'
    return 'stricter: connection not reused'
  }
  if (oursDone === theirsDone) return 'alike: llhttp refuses a head or chunk at once, we at its end'
  return `${UNKNOWN}: quiet where llhttp says ${theirs.error}`
}

function explainWider(ours: Reading, theirs: TheirReading): string {
  const next = ours.messages[theirs.messages.length]!
  const method = next.start.slice(0, next.start.indexOf(' '))
  if (theirs.error === 'HPE_INVALID_METHOD' && !isKnownToLlhttp(method)) {
    return 'reads an extension method'
  }
  return `${UNKNOWN}: reads a head that llhttp refuses (${theirs.error})`
}

function differenceOf(ours: Message, theirs: Message): string {
  if (ours.start !== theirs.start) return `${ours.start} / ${theirs.start}`
  if (ours.headers.join('\n') !== theirs.headers.join('\n')) {
    return `headers ${JSON.stringify(ours.headers)} / ${JSON.stringify(theirs.headers)}`
  }
  if (ours.complete && theirs.complete) {
    if (ours.body !== theirs.body) return `body ${ours.body} / ${theirs.body}`
    if (ours.trailers.join('\n') !== theirs.trailers.join('\n')) return `trailers`
    return ''
  }
  const alike = ours.body.startsWith(theirs.body) || theirs.body.startsWith(ours.body)
  return alike ? '' : `body begins ${ours.body} / ${theirs.body}`
}
