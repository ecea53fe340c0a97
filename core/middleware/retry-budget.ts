// core/middleware/retry-budget.ts: how much of the traffic may be retries, so that they never become the load that
// keeps a server down.
//
// Owner:  one retry middleware of one router and worker. Hot: count() runs once per request.
//
//   retries of the last 10 s  <  the larger of   percent of the requests of the last 10 s
//                                                minPerSecond x 10 s, so that little traffic may be retried too

const WINDOW_S = 10

export class RetryBudget {
  private readonly share: number
  private readonly least: number
  private readonly requests = new Int32Array(WINDOW_S)
  private readonly retries = new Int32Array(WINDOW_S)
  private requestSum = 0
  private retrySum = 0
  private second = -1

  constructor(percent: number, minPerSecond: number) {
    this.share = percent / 100
    this.least = minPerSecond * WINDOW_S
  }

  // A request has come; `now` is in milliseconds of any clock that does not go back.
  count(now: number): void {
    this.requests[this.place(now)]!++
    this.requestSum++
  }

  // False: it is used up.
  take(now: number): boolean {
    const place = this.place(now)
    if (this.retrySum >= Math.max(this.least, this.share * this.requestSum)) return false
    this.retries[place]!++
    this.retrySum++
    return true
  }

  // The place of this second, after seconds that have left the window were taken out of the sums.
  private place(now: number): number {
    const second = Math.floor(now / 1000)
    if (second > this.second) {
      const first = Math.max(this.second + 1, second - WINDOW_S + 1)
      for (let passed = first; passed <= second; passed++) this.forget(passed % WINDOW_S)
      this.second = second
    }
    return this.second % WINDOW_S
  }

  private forget(place: number): void {
    this.requestSum -= this.requests[place]!
    this.retrySum -= this.retries[place]!
    this.requests[place] = 0
    this.retries[place] = 0
  }
}
