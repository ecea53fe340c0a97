// core/timer-ms.ts: how long a timer may be told to wait.
//
// Hot:    yes, as whoever starts a timer.
//
// Node's timers count in 31 bits: whatever is longer becomes 1 ms, with a warning that nobody reads. Durations of the
// configuration reach 292 years, as Go's do, and a long one is to behave as a long one. 24.8 days are long enough for
// all that a timer here ends or repeats. test/tidy sees to it that each timer is given a constant or timerMs().

export const TIMER_MS_MAX = 2 ** 31 - 1

export function timerMs(ms: number): number {
  return Math.min(ms, TIMER_MS_MAX)
}
