// bench/load/latencies.ts: every latency of a phase, kept exactly. A million of them are 4 MB, cheaper to keep
// than to argue about the error of a histogram.

export class Latencies {
  values = new Float32Array(65_536)
  count = 0

  add(us: number): void {
    if (this.count === this.values.length) this.grow()
    this.values[this.count++] = us
  }

  grow(): void {
    const larger = new Float32Array(this.values.length * 2)
    larger.set(this.values)
    this.values = larger
  }

  // The value that `share` of all latencies do not exceed.
  quantile(share: number): number {
    if (this.count === 0) return 0
    const sorted = this.values.slice(0, this.count).sort()
    return sorted[Math.max(0, Math.ceil(this.count * share) - 1)] ?? 0
  }
}
