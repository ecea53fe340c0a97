// workers/sweeper.ts: one clock and one timer per worker for every timeout of every connection.
//
// A connection keeps its deadlines as plain numbers and refreshes them by writing a number. Every tick the
// sweeper calls onTick(now) of each member, which compares. 10,000 members cost about 0.1 ms a tick, that
// is 0.1 % of a core; a timer per connection would cost an insertion per request.
//
// Deadlines that are over at the same time are not: to end a connection takes 30 to 60 us, and 200 of them in one tick
// held all others for 10 ms. So a tick that has taken SLICE_MS goes on in the next turn of the event loop.
//
// A tick reads the clock, and visits when this turn has read what there is to be read: see due.ts.

import { tellDefect } from './socket.ts'

export const TICK_MS = 100 // so a timeout of 1 s is kept within 10 %

const SLICE_MS = 2
const VISITS = 16 // between two looks at the clock

export interface Swept {
  sweepIndex: number // place in the sweeper's array; -1 while not in it
  onTick(now: number): void
  abandon(): void // onTick threw, which is a defect: end, whatever it takes
  // The process ends: close, and say how many connections were not idle; else abandon(). Unless it is the last call,
  // what can end by itself in a moment may do so.
  cut?(isLast: boolean): number
}

export class Sweeper {
  now = performance.now() // coarse: at the most one tick old; right for deadlines, not for durations
  private readonly members: Swept[] = []
  private timer: NodeJS.Timeout | null = null
  private left = 0 // members that this tick has not visited
  private readonly goOn = (): void => this.visitSome() // made once, as endTurn
  private turn = 0 // the time of this turn of the event loop; valid while `inTurn`
  private inTurn = false
  private readonly endTurn = (): void => {
    this.inTurn = false
  }

  start(): void {
    this.timer = setInterval(() => this.tick(), TICK_MS)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    this.left = 0
  }

  // Good enough for durations: read once per turn of the event loop, as nginx does. Two reads of the clock
  // per request were 5 % of our own time.
  turnNow(): number {
    if (!this.inTurn) {
      this.inTurn = true
      this.turn = performance.now()
      setImmediate(this.endTurn)
    }
    return this.turn
  }

  get size(): number {
    return this.members.length
  }

  // Connections of clients keep their entry point in `point`, those to servers have none. Another array: what is
  // done to its members may remove them.
  membersOf(point: unknown): Swept[] {
    return this.members.filter((member) => (member as { point?: unknown }).point === point)
  }

  add(member: Swept): void {
    member.sweepIndex = this.members.length
    this.members.push(member)
  }

  // The last member takes the free place, so removal costs the same for any number.
  remove(member: Swept): void {
    const index = member.sweepIndex
    if (index < 0) return
    const last = this.members.pop()!
    if (last !== member) {
      this.members[index] = last
      last.sweepIndex = index
    }
    member.sweepIndex = -1
  }

  private tick(): void {
    this.now = performance.now()
    if (this.left > 0) return // the last one has not ended; all that it still visits sees the new time
    this.left = this.members.length
    if (this.left > 0) setImmediate(this.goOn)
  }

  // Backwards: a member that is removed by its own tick is replaced by one that was already visited.
  private visitSome(): void {
    const until = performance.now() + SLICE_MS
    while (this.left > 0) {
      this.visit(this.members[--this.left])
      if (this.left % VISITS === 0 && performance.now() >= until) break
    }
    if (this.left > 0) setImmediate(this.goOn)
  }

  private visit(member: Swept | undefined): void {
    if (member === undefined) return
    try {
      member.onTick(this.now)
    } catch (defect) {
      tellDefect(defect)
      member.abandon()
    }
  }
}
