// bench/load/tally.ts: what a load process of ours counts, and how its phase ends: nothing new is sent, what is in
// flight has two seconds more, then one LoadResult is written as JSON. Pure but for run().

import type { LoadResult } from './contract.ts'
import { Latencies } from './latencies.ts'

const DRAIN_MS = 2000
const DRAIN_POLL_MS = 10

export class Tally {
  requests = 0
  failedStatus = 0
  failedConnections = 0
  timeouts = 0
  isOver = false
  latencies = new Latencies()

  answered(latencyMs: number): void {
    this.requests++
    this.latencies.add(latencyMs * 1000)
  }

  // `open` says how many are in flight; those that never end have timed out.
  run(seconds: number, open: () => number): void {
    const startedAt = performance.now()
    setTimeout(() => {
      this.isOver = true
      const endedAt = performance.now()
      this.drain(endedAt - startedAt, endedAt + DRAIN_MS, open)
    }, seconds * 1000)
  }

  private drain(elapsedMs: number, deadline: number, open: () => number): void {
    if (open() > 0 && performance.now() < deadline) {
      setTimeout(() => this.drain(elapsedMs, deadline, open), DRAIN_POLL_MS)
      return
    }
    const text = JSON.stringify(this.resultOf(elapsedMs, open()))
    process.stdout.write(text, () => process.exit(0))
  }

  resultOf(elapsedMs: number, open: number): LoadResult {
    return {
      requests: this.requests,
      seconds: elapsedMs / 1000,
      failedStatus: this.failedStatus,
      failedConnections: this.failedConnections,
      timeouts: this.timeouts + open,
      p50Us: this.latencies.quantile(0.5),
      p99Us: this.latencies.quantile(0.99),
      maxUs: this.latencies.quantile(1),
    }
  }
}

// A load that can't begin says why and ends: the harness shows the line beside the subject.
export function giveUp(reason: string): never {
  process.stderr.write(`Error: ${reason}\n`)
  process.exit(1)
}
