// core/balance/success-rate.ts: which servers answer so much worse than they should that they are ejected, from what was
// counted of them in one interval. Arithmetic only; core/balance/interval-counts.ts counts.
//
// Owner:  nobody; all of it is values. Hot: no, once per interval and service.
//
// As in Envoy: a server is an outlier by success rate when its rate is below mean - deviation * stdevFactor of all
// rates, itself included, and the deviation is that of the whole (divided by n). So one server of n lies at the most
// sqrt(n - 1) deviations below the mean: of 5 servers 2, and of 4 no more than 1.73.

export interface SuccessRateOptions {
  readonly minServers: number // with minRequests; else nobody is looked at
  readonly minRequests: number // of a server in the interval; else it is not looked at
  readonly stdevFactor: number
}

export interface FailurePercentageOptions {
  readonly threshold: number // percent; ejected at it and above it
  readonly minServers: number
  readonly minRequests: number
}

export interface RateOptions {
  readonly successRate: SuccessRateOptions | null
  readonly failurePercentage: FailurePercentageOptions | null
}

export interface Counted {
  readonly index: number // of the server
  readonly well: number // answers below 500
  readonly failed: number // answers of 500 and more, and none
}

export interface Outlier {
  readonly index: number
  readonly reason: 'success_rate' | 'failure_percentage'
  readonly percent: number // the success rate, or the failure percentage
  readonly limit: number // that it is below, or not below
}

// Rates that are equal differ by rounding from a mean of theirs; ones that are not, by more than this.
const ROUNDING = 1e-9

// The worst first, since not all of them may be ejected. One that both rules find is there twice.
export function outliersOf(counted: readonly Counted[], options: RateOptions): Outlier[] {
  const { successRate, failurePercentage } = options
  const byRate = successRate === null ? [] : bySuccessRate(counted, successRate)
  if (failurePercentage === null) return byRate
  return [...byRate, ...byFailurePercentage(counted, failurePercentage)]
}

// The lowest rate that is not an outlier, in percent as the rates are.
export function limitOf(rates: readonly number[], stdevFactor: number): number {
  const mean = sum(rates) / rates.length
  const variance = sum(rates.map((rate) => (rate - mean) ** 2)) / rates.length
  return mean - Math.sqrt(variance) * stdevFactor
}

// Whether one of so many servers can be an outlier at all.
export function canBeOutlier(servers: number, options: SuccessRateOptions): boolean {
  return servers >= options.minServers && Math.sqrt(servers - 1) > options.stdevFactor
}

function bySuccessRate(counted: readonly Counted[], options: SuccessRateOptions): Outlier[] {
  const seen = counted.filter((one) => one.well + one.failed >= options.minRequests)
  if (seen.length < options.minServers) return []
  const rates = seen.map((one) => percentOf(one.well, one))
  const limit = limitOf(rates, options.stdevFactor)
  return seen
    .map(({ index }, i): Outlier => ({ index, reason: 'success_rate', percent: rates[i]!, limit }))
    .filter(({ percent }) => percent < limit - ROUNDING)
    .sort((a, b) => a.percent - b.percent)
}

function byFailurePercentage(
  counted: readonly Counted[],
  options: FailurePercentageOptions,
): Outlier[] {
  const { threshold: limit, minServers, minRequests } = options
  const seen = counted.filter((one) => one.well + one.failed >= minRequests)
  if (seen.length < minServers) return []
  return seen
    .map((one): Outlier => {
      const percent = percentOf(one.failed, one)
      return { index: one.index, reason: 'failure_percentage', percent, limit }
    })
    .filter(({ percent }) => percent >= limit)
    .sort((a, b) => b.percent - a.percent)
}

function percentOf(part: number, { well, failed }: Counted): number {
  return (part * 100) / (well + failed)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}
