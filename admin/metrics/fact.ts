// admin/metrics/fact.ts: what is known of one metric. Hot: no.

export interface MetricFact {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
}

export function fact(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  ...labels: string[]
): MetricFact {
  return { name, type, help, labels }
}
