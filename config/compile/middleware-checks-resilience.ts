// config/compile/middleware-checks-resilience.ts: the closer look at options of retry, timeout and circuitBreaker. Hot: no.

import { ExpressionError } from '../../core/expression/expression.ts'
import { compileCondition } from '../../core/resilience/breaker-expression.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import { type Fault, failing, one, quoted, wantStatus } from './middleware-words.ts'

export function checkRetry({ status }: MiddlewareOptions<'retry'>): Fault[] {
  return failing('status', status, wantStatus)
}

export function checkTimeout(options: MiddlewareOptions<'timeout'>): Fault[] {
  const { total, perTry, firstByte, idle } = options
  if (total + perTry + firstByte + idle > 0) return []
  return [{ key: [], message: 'none of total, perTry, firstByte and idle is set' }]
}

export function checkCircuitBreaker({ expression }: MiddlewareOptions<'circuitBreaker'>): Fault[] {
  return one('expression', expression, wantCondition)
}

function wantCondition(source: string): string {
  try {
    compileCondition(source)
    return ''
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return `${quoted(source)}: ${error.message}`
  }
}
