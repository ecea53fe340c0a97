// test/support/metrics.ts: reads numbers from a page in Prometheus' text format.

// The sum of all series of `name` whose labels hold each of `labels` ('code="200"'); 0 when there is none.
export function metricSum(page: string, name: string, ...labels: string[]): number {
  let sum = 0
  for (const line of page.split('\n')) {
    if (line.slice(0, line.search(/[{ ]/)) !== name) continue
    if (!labels.every((label) => line.includes(label))) continue
    sum += Number(line.slice(line.lastIndexOf(' ')))
  }
  return sum
}
