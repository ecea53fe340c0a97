// config/dynamic/body-rewrite.ts: options of bodyRewrite. What they must be together is checked in compile/body-checks.ts. Hot: no.

import { z } from 'zod'
import { extension, off, text } from '../static/blocks.ts'

const REWRITTEN_MAX = 16 * 1024 * 1024 // of one body; it lies in memory twice

const replacements = z
  .array(
    z.object({
      literal: extension(z.string().max(1024).default(''), 'this or `regex`'),
      regex: extension(text(), "in Go's syntax; `replacement` may name its groups"),
      replacement: text(),
    }),
  )
  .max(16)

// Of responses, and once more of requests.
const rewriting = (of: string, contentTypes: string[]) => ({
  contentTypes: extension(
    z.array(z.string()).min(1).default(contentTypes),
    `of ${of} that are changed`,
  ),
  maxBytes: extension(
    z.int().min(1).max(REWRITTEN_MAX).default(1_048_576),
    'of a body that is changed; with a `regex` the default is the most',
  ),
})

const inTurn = 'each in turn, in the text that the one before has left'
const whenTooLong = z.enum(['pass', 'fail']).default('pass')

export const bodyRewrite = extension(
  off({
    replacements: extension(replacements.default([]), inTurn),
    ...rewriting('responses', [
      'text/html',
      'text/plain',
      'text/css',
      'text/javascript',
      'application/json',
    ]),
    whenTooLong: extension(whenTooLong, 'as it came, or 500'),
    requests: extension(
      off({
        replacements: extension(replacements.min(1), inTurn),
        ...rewriting('requests', [
          'application/json',
          'application/x-www-form-urlencoded',
          'text/plain',
        ]),
        whenTooLong: extension(whenTooLong, 'as it came, or 413'),
      }),
      'the same with bodies of requests',
    ),
  }),
  'replaces text in bodies of responses and requests',
)
