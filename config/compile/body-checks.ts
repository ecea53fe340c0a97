// config/compile/body-checks.ts: the closer look at options of the middlewares that touch bodies.
//
// What passes here never fails when a worker builds the middleware. Hot: no.

import { ExpressionError } from '../../core/expression/expression.ts'
import { compileRetryExpression } from '../../core/middleware/http/buffering.ts'
import { wantMediaType } from '../../core/middleware/http/media-types.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import type { Fault } from './middleware-words.ts'

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

export function checkBodyRewrite({ contentTypes }: MiddlewareOptions<'bodyRewrite'>): Fault[] {
  return typesOf('contentTypes', contentTypes)
}
