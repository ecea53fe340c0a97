// bench/ratio.ts: one figure of two subjects of the same run, as a ratio.

import type { SampleMetric } from './measure.ts'
import type { Outcome } from './scenarios/contract.ts'
import { median, pairRatios } from './statistics.ts'

export function metricOf(outcome: Outcome, subject: string, metric: SampleMetric): number[] {
  const result = outcome.subjects.find((one) => one.subject === subject)
  return (result?.samples ?? []).map((sample) => sample[metric])
}

// The median of the ratios pair by pair; NaN when one of the two did not run.
export function ratioOf(
  outcome: Outcome,
  subject: string,
  against: string,
  metric: SampleMetric,
): number {
  return median(pairRatios(metricOf(outcome, subject, metric), metricOf(outcome, against, metric)))
}
