// config/compile/body-checks.ts: the closer look at options of the middlewares that touch bodies.
//
// What passes here never fails when a worker builds the middleware. Hot: no.

import { ExpressionError } from '../../core/expression/expression.ts'
import { compileRetryExpression } from '../../core/middleware/http/buffering.ts'
import { wantMediaType } from '../../core/middleware/http/media-types.ts'
import { RegexError } from '../../core/regex.ts'
import { Replacing } from '../../core/regex/replacing.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import { type Fault, quoted } from './middleware-words.ts'

function typesOf(key: string, types: readonly string[]): Fault[] {
  return types.flatMap((type, at) => {
    const message = wantMediaType(type)
    return message === '' ? [] : [{ key: [key, at], message: `${key}: ${message}` }]
  })
}

export function checkCompress(options: MiddlewareOptions<'compress'>): Fault[] {
  const { encodings, defaultEncoding, excludedContentTypes, includedContentTypes } = options
  const faults = [
    ...typesOf('excludedContentTypes', excludedContentTypes),
    ...typesOf('includedContentTypes', includedContentTypes),
  ]
  if (excludedContentTypes.length > 0 && includedContentTypes.length > 0) {
    const message = 'includedContentTypes: it can not be given together with excludedContentTypes'
    faults.push({ key: ['includedContentTypes'], message })
  }
  if (defaultEncoding !== '' && !encodings.includes(defaultEncoding)) {
    const message = `defaultEncoding: ${defaultEncoding} is not one of the encodings`
    faults.push({ key: ['defaultEncoding'], message })
  }
  return faults
}

export function checkBuffering({ retryExpression }: MiddlewareOptions<'buffering'>): Fault[] {
  if (retryExpression === '') return []
  try {
    compileRetryExpression(retryExpression)
    return []
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return [{ key: ['retryExpression'], message: `retryExpression: ${error.message}` }]
  }
}

// With an expression a body may be no longer than what a worker gets through at one go.
const REGEX_BYTES_MAX = 1_048_576

type Rewriting = Pick<
  MiddlewareOptions<'bodyRewrite'>,
  'replacements' | 'contentTypes' | 'maxBytes'
>

export function checkBodyRewrite(options: MiddlewareOptions<'bodyRewrite'>): Fault[] {
  const { replacements, requests } = options
  const ofRequests = requests === null ? [] : checkRewriting(requests)
  const faults = [
    ...checkRewriting(options),
    ...ofRequests.map(({ key, message }) => ({
      key: ['requests', ...key],
      message: `requests.${message}`,
    })),
  ]
  if (replacements.length === 0 && requests === null)
    faults.push({ key: [], message: 'replacements: there is nothing to replace' })
  return faults
}

function checkRewriting({ replacements, contentTypes, maxBytes }: Rewriting): Fault[] {
  const faults = typesOf('contentTypes', contentTypes)
  replacements.forEach(({ literal, regex, replacement }, at) => {
    const key = ['replacements', at]
    const place = `replacements[${at}]`
    if ((literal === '') === (regex === '')) {
      const found = literal === '' ? 'neither is given' : 'both are given'
      faults.push({ key, message: `${place}: it takes either literal or regex; ${found}` })
    } else if (regex !== '') {
      const message = wantBodyRegex(regex, replacement)
      if (message !== '')
        faults.push({ key: [...key, 'regex'], message: `${place}.regex: ${message}` })
    }
  })
  if (maxBytes > REGEX_BYTES_MAX && replacements.some(({ regex }) => regex !== '')) {
    const message = `maxBytes: with a regex it is ${REGEX_BYTES_MAX} at the most`
    faults.push({ key: ['maxBytes'], message })
  }
  return faults
}

function wantBodyRegex(source: string, replacement: string): string {
  try {
    new Replacing(source, replacement)
    return ''
  } catch (error) {
    if (!(error instanceof RegexError)) throw error
    return `${quoted(source)}: ${error.message}`
  }
}
