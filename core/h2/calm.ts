// core/h2/calm.ts: how much an HTTP/2 client may ask for that gets it nothing, before its connection is ended.
//
// Owner:  one connection. Pure: the caller gives the time.
// Hot:    yes: a subtraction per frame that carries nothing.
//
// Two budgets, each a bucket that fills again with time and with every request that is served, so that a client
// that works may also cancel, ping and prioritise:
//
//   resets   requests that ended before their answer, by the client's wish (CVE-2023-44487) or because it made us
//            reset them (CVE-2025-8671), were refused or malformed. 100 at a time: what a browser cancels when
//            its user leaves a page.
//   frames   PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, unknown types. A byte of DATA in either direction
//            earns the window updates that go with it.

export const RESETS_MAX = 100
const RESETS_PER_SECOND = 10
export const FRAMES_MAX = 1000
const FRAMES_PER_SECOND = 100
const FRAMES_PER_REQUEST = 4

export class Calm {
  private resets = RESETS_MAX
  private frames = FRAMES_MAX
  private filledAt: number

  constructor(now: number) {
    this.filledAt = now
  }

  // Called by the connection's tick.
  refill(now: number): void {
    const seconds = (now - this.filledAt) / 1000
    this.filledAt = now
    this.resets = Math.min(RESETS_MAX, this.resets + seconds * RESETS_PER_SECOND)
    this.frames = Math.min(FRAMES_MAX, this.frames + seconds * FRAMES_PER_SECOND)
  }

  // A request was answered to its end, or bytes of a body have moved.
  earn(): void {
    if (this.resets < RESETS_MAX) this.resets++
    this.earnFrames()
  }

  earnFrames(): void {
    if (this.frames < FRAMES_MAX)
      this.frames = Math.min(FRAMES_MAX, this.frames + FRAMES_PER_REQUEST)
  }

  // False: enough.
  spendReset(cost: number): boolean {
    this.resets -= cost
    return this.resets >= 0
  }

  spendFrame(cost: number): boolean {
    this.frames -= cost
    return this.frames >= 0
  }
}
