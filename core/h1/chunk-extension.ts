// core/h1/chunk-extension.ts: the grammar of chunk extensions, one byte at a time.
//
// Owner:  nobody; a state is one integer that the decoder keeps.
// Hot:    no. Hardly any sender uses extensions, but whoever hides something in a body uses them.
//
//   5;name   5;name=token   5;name="quoted \" string";other
//
// RFC 9112 section 7.1.1 without the white space it calls bad.

import { CR, QUOTED, TOKEN, byteClass } from './text.ts'

export const EXTENSION_START = 0 // a ";" was read: a name begins
const IN_NAME = 1
const VALUE_START = 2
const IN_VALUE = 3
const IN_QUOTES = 4
const ESCAPED = 5
const AFTER_QUOTES = 6

const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92

// The state after byte `c`, or -1 when it may not stand there. CR ends the line, where it may.
export function nextExtensionState(state: number, c: number): number {
  switch (state) {
    case EXTENSION_START:
      return is(TOKEN, c) ? IN_NAME : -1
    case IN_NAME:
      if (is(TOKEN, c)) return IN_NAME
      return c === EQUALS ? VALUE_START : endOf(state, c)
    case VALUE_START:
      if (c === QUOTE) return IN_QUOTES
      return is(TOKEN, c) ? IN_VALUE : -1
    case IN_VALUE:
      return is(TOKEN, c) ? IN_VALUE : endOf(state, c)
    case IN_QUOTES:
      if (c === QUOTE) return AFTER_QUOTES
      if (c === BACKSLASH) return ESCAPED
      return is(QUOTED, c) ? IN_QUOTES : -1
    case ESCAPED:
      return is(QUOTED, c) || c === QUOTE || c === BACKSLASH ? IN_QUOTES : -1
    default:
      return endOf(AFTER_QUOTES, c)
  }
}

function endOf(state: number, c: number): number {
  if (c === SEMICOLON) return EXTENSION_START
  return c === CR ? state : -1
}

function is(bit: number, c: number): boolean {
  return (byteClass[c]! & bit) !== 0
}
