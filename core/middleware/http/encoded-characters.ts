// core/middleware/http/encoded-characters.ts: refuses paths that hold escapes which servers like to misread.
//
// Hot: yes. A path without "%" passes after one search. The entry point's form of it, before routing, is in
// core/normalise.ts; this one is for one router and looks at the path as it stands by then.

import { ENCODED_CHARACTER } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import {
  ALLOW_BACKSLASH,
  ALLOW_HASH,
  ALLOW_NULL,
  ALLOW_PERCENT,
  ALLOW_QUESTION_MARK,
  ALLOW_SEMICOLON,
  ALLOW_SLASH,
  deniedEncoding,
} from '../../normalise.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'

export interface EncodedCharactersOptions {
  readonly allowEncodedSlash: boolean
  readonly allowEncodedBackSlash: boolean
  readonly allowEncodedNullCharacter: boolean
  readonly allowEncodedSemicolon: boolean
  readonly allowEncodedPercent: boolean
  readonly allowEncodedQuestionMark: boolean
  readonly allowEncodedHash: boolean
}

export class EncodedCharacters extends RequestMiddleware {
  readonly kind = 'encodedCharacters'
  private readonly allowed: number // ALLOW_* bits

  constructor(name: string, options: EncodedCharactersOptions) {
    super(name)
    this.allowed =
      (options.allowEncodedSlash ? ALLOW_SLASH : 0) |
      (options.allowEncodedBackSlash ? ALLOW_BACKSLASH : 0) |
      (options.allowEncodedNullCharacter ? ALLOW_NULL : 0) |
      (options.allowEncodedSemicolon ? ALLOW_SEMICOLON : 0) |
      (options.allowEncodedPercent ? ALLOW_PERCENT : 0) |
      (options.allowEncodedQuestionMark ? ALLOW_QUESTION_MARK : 0) |
      (options.allowEncodedHash ? ALLOW_HASH : 0)
  }

  onRequest(exchange: Exchange): Verdict {
    if (!deniedEncoding(exchange.path, this.allowed)) return NEXT
    return refuseWith(exchange, ENCODED_CHARACTER, 0)
  }

  explain(exchange: Exchange): string {
    if (deniedEncoding(exchange.path, this.allowed)) {
      return `Refuses it: ${exchange.path} holds an escape that is not allowed here.`
    }
    return 'Lets it pass: the path holds no escape that is refused.'
  }
}
