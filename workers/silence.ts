// workers/silence.ts: when a worker is given up, by its heartbeat and the time that its watcher has lived through.

// Of the time between two looks only so much counts. A process that was stopped, or whose machine was, finds all of
// its workers silent when it goes on, and they have done nothing wrong.
const PASSED_MAX_MS = 500
const SILENT_MAX_MS = 5000
// Before its first beat a worker loads its modules: 0.5 s of CPU. Where that takes more than 5 s the machine is too
// busy, and to begin again would keep it so: beside a load of 17, workers were replaced for ever and none served.
const START_MAX_MS = 60_000

export class Silence {
  private lastBeat = 0
  private silentMs = 0
  private lookedAt: number

  constructor(now: number) {
    this.lookedAt = now
  }

  // Why it is to be ended; '' while all is well.
  reasonAt(now: number, beat: number): string {
    this.silentMs += Math.min(now - this.lookedAt, PASSED_MAX_MS)
    if (beat !== this.lastBeat) this.silentMs = 0
    this.lookedAt = now
    this.lastBeat = beat
    if (beat === 0) return this.silentMs > START_MAX_MS ? 'did not start within 60 s' : ''
    return this.silentMs > SILENT_MAX_MS ? 'did not answer for 5 s' : ''
  }

  // Whoever was told to end has as long again before it is told once more.
  forgive(): void {
    this.silentMs = 0
  }
}
