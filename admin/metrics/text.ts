// admin/metrics/text.ts: lines of the Prometheus text format (version 0.0.4). Hot: no.

import type { MetricFact } from './fact.ts'

// Labels in the order of their names, as Traefik's are; without the braces.
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}="${escapeValue(labels[name]!)}"`)
    .join(',')
}

function escapeValue(text: string): string {
  return text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : '\\' + c))
}

export function headText(fact: Pick<MetricFact, 'name' | 'type' | 'help'>): string {
  return `# HELP ${fact.name} ${fact.help.replaceAll('\\', '\\\\')}\n# TYPE ${fact.name} ${fact.type}\n`
}

export function sampleText(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`
}

// `counts` are of single buckets, one more than there are bounds; what is shown is their running sum.
export function histogramText(
  name: string,
  labels: string,
  bounds: readonly number[],
  counts: readonly number[],
  sum: number,
): string {
  const before = labels === '' ? '' : labels + ','
  let text = ''
  let count = 0
  for (let i = 0; i < counts.length; i++) {
    count += counts[i]!
    const bound = i < bounds.length ? String(bounds[i]) : '+Inf'
    text += `${name}_bucket{${before}le="${bound}"} ${count}\n`
  }
  return text + sampleText(name + '_sum', labels, sum) + sampleText(name + '_count', labels, count)
}
