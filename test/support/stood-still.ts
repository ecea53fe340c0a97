// test/support/stood-still.ts: for how long this process did not run though it wanted to: a machine that others use takes its
// cores away for a second at times. What a test says about times is that much wider.

const LOOK_MS = 10
const NOTICED_MS = 100 // shorter ones are work of the test itself

export class StoodStill {
  private sum = 0
  private last = performance.now()
  private readonly timer = setInterval(() => this.look(), LOOK_MS)

  constructor() {
    this.timer.unref()
  }

  // In all, up to now.
  get ms(): number {
    this.look()
    return this.sum
  }

  private look(): void {
    const now = performance.now()
    const gap = now - this.last
    this.last = now
    if (gap > NOTICED_MS) this.sum += gap
  }

  stop(): void {
    clearInterval(this.timer)
  }
}
