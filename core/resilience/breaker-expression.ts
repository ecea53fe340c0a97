// core/resilience/breaker-expression.ts: the functions that an expression of circuitBreaker may ask, and what it needs kept.
//
//   NetworkErrorRatio() > 0.30 && RequestThreshold() >= 20
//   ResponseCodeRatio(500, 600, 0, 600) > 0.25      from 500 to 599, among all
//   LatencyAtQuantileMS(50.0) > 100
//
// Hot: no; evaluated once per checkPeriod.

import { ExpressionError, type FunctionTable, compileExpression } from '../expression/expression.ts'
import type { Expression } from '../expression/expression.ts'
import { RANGES_MAX, type StatusRange, type WindowSums, latencyAt } from './breaker-window.ts'

// The sums, with the ranges that they were counted by.
export interface BreakerFacts {
  readonly sums: WindowSums
  readonly ranges: readonly StatusRange[]
}

export interface BreakerCondition {
  readonly expression: Expression<BreakerFacts>
  readonly ranges: readonly StatusRange[]
  readonly hasLatencies: boolean
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

function countIn({ sums, ranges }: BreakerFacts, from: number, to: number): number {
  const at = ranges.findIndex((range) => range.from === from && range.to === to)
  return sums.ranges[at]!
}

const functions: FunctionTable<BreakerFacts> = {
  NetworkErrorRatio: {
    type: 'number',
    parameters: [],
    read: ({ sums }) => ratio(sums.networkErrors, sums.requests),
  },
  ResponseCodeRatio: {
    type: 'number',
    parameters: ['from', 'to', 'dividedByFrom', 'dividedByTo'],
    check: ([from, to, dividedByFrom, dividedByTo]) => {
      if (from! >= to!) return 'from must be smaller than to, which is exclusive'
      return dividedByFrom! >= dividedByTo! ? 'dividedByFrom must be smaller than dividedByTo' : ''
    },
    read: (facts, [from, to, dividedByFrom, dividedByTo]) =>
      ratio(countIn(facts, from!, to!), countIn(facts, dividedByFrom!, dividedByTo!)),
  },
  LatencyAtQuantileMS: {
    type: 'number',
    parameters: ['quantile'],
    check: ([quantile]) =>
      quantile! > 0 && quantile! <= 100 ? '' : 'the quantile is more than 0 and at the most 100',
    read: ({ sums }, [quantile]) => latencyAt(sums, quantile!),
  },
  RequestThreshold: { type: 'number', parameters: [], read: ({ sums }) => sums.requests },
}

// Throws ExpressionError.
export function compileCondition(source: string): BreakerCondition {
  const expression = compileExpression(source, functions)
  const ranges = new Map<string, StatusRange>()
  for (const { name, values } of expression.calls) {
    if (name !== 'ResponseCodeRatio') continue
    const [from, to, dividedByFrom, dividedByTo] = values as [number, number, number, number]
    ranges.set(`${from} ${to}`, { from, to })
    ranges.set(`${dividedByFrom} ${dividedByTo}`, { from: dividedByFrom, to: dividedByTo })
  }
  if (ranges.size > RANGES_MAX)
    throw new ExpressionError(`more than ${RANGES_MAX} different ranges of statuses`, 0)
  const hasLatencies = expression.calls.some(({ name }) => name === 'LatencyAtQuantileMS')
  return { expression, ranges: [...ranges.values()], hasLatencies }
}
