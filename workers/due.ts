// workers/due.ts: time that is believed only when what came in it has been read.
//
// A process that stood still (a host that is short of cores, a snapshot, a live migration, a stop by SIGSTOP) wakes with
// its timers due and answers that came in time unread. libuv runs timers first, reads then, and calls setImmediate after
// that: so whoever gives up on a peer does it there.
//
//   timers (due) --> poll (reads what is there) --> check (action)
//
// Whoever clears the timer in between is called all the same, and must know by its own state that it is over.

import { timerMs } from '../core/timer-ms.ts'

export function whenDue(ms: number, action: () => void): NodeJS.Timeout {
  return setTimeout(setImmediate, timerMs(ms), action)
}
