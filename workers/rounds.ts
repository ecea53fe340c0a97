// workers/rounds.ts: clients that send one request piece by piece, read in rounds while there are many of them.
//
//   not a member --a late, small piece, or none for LATE_MS--> AWAKE --in rounds--> RESTING --its turn--> AWAKE
//        ^                                                      |                      ^                    |
//        '--------------- request whole, or fast ---------------'                      '-- nothing came ----'
//
// Rounds begin when MANY have sent something within one tick of the clock, or a CROWD is there, and end when FEW are left.
// After LONG_MS it is looked at again: telemetry of hundreds of clients, each in its own time, is passed on as it comes.
//
// Owner:  the worker, one list. Memory: a record per open connection at the most.
// Hot:    one comparison per read; the rest only for requests that come in pieces.
//
// Why: thousands of half sent requests whose next bytes come in the same instant are one turn of the event loop: 5,400
// pieces of bodies took 75 ms, and whatever else came waited behind them (p99 15 x). A resting socket is not read; its
// bytes wait in the kernel, which gives all of them at its turn, a hundredth of all every 10 ms.

export const MANY = 256
export const CROWD = 4 * MANY
const FEW = MANY / 2 // as many are read as they come again
const LONG_MS = 60_000
const ROUND_TURNS = 100
const TURN_MS = 10
const SMALL_BYTES = 4096 // whoever sends more at a time is not slow
const LATE_MS = 500 // a request that is younger may be in two packets, as most that have a body

export interface Rounded {
  roundIndex: number // its place in the list; -1 while not in it
  resting: boolean
  rest(): void
  wake(): void
}

export class Rounds {
  private readonly members: Rounded[] = []
  private awake: Rounded[] = [] // by the last turn
  private next = 0 // everybody from here on has had its turn in this round
  private tickAt = 0 // the tick in which `pieces` have come
  private pieces = 0
  private until = 0 // of the rounds
  private timer: NodeJS.Timeout | null = null
  private readonly onTurn = (): void => this.turn() // made once

  get size(): number {
    return this.members.length
  }

  // A piece has come and the request still lacks some; both times are of the sweeper's clock. True: the member rests now.
  lacks(member: Rounded, bytes: number, begunAt: number, now: number): boolean {
    if (now - begunAt < LATE_MS || bytes >= SMALL_BYTES) {
      this.leave(member)
      return false
    }
    if (member.roundIndex < 0) this.add(member)
    if (this.timer === null && !this.isTime(now)) return false
    member.rest()
    return true
  }

  private isTime(now: number): boolean {
    if (now !== this.tickAt) {
      this.tickAt = now
      this.pieces = 0
    }
    if (++this.pieces <= MANY || this.members.length <= MANY) return false
    this.begin(now)
    return true
  }

  // Nothing has come since `activeAt` though a request lacks some; asked with every tick. True: the member rests now.
  waits(member: Rounded, activeAt: number, now: number): boolean {
    if (member.roundIndex >= 0 || now - activeAt < LATE_MS) return false
    this.add(member)
    if (this.timer !== null) member.rest()
    else if (this.members.length > CROWD) this.begin(now)
    return member.resting
  }

  private begin(now: number): void {
    this.next = this.members.length
    this.until = now + LONG_MS
    this.timer = setInterval(this.onTurn, TURN_MS)
    for (const member of this.members) member.rest()
  }

  private add(member: Rounded): void {
    member.roundIndex = this.members.length
    this.members.push(member)
  }

  // Its request is whole, or its connection over. The last member takes the free place, where its turn comes again.
  leave(member: Rounded): void {
    const index = member.roundIndex
    if (index < 0) return
    const last = this.members.pop()!
    if (last !== member) {
      this.members[index] = last
      last.roundIndex = index
    }
    member.roundIndex = -1
    if (member.resting) member.wake()
  }

  // Backwards, as members that move to a free place move down: none is passed over.
  private turn(): void {
    const { members, awake } = this
    if (members.length < FEW || this.isLong) return this.end()
    for (const member of awake) if (member.roundIndex >= 0) member.rest()
    const count = Math.ceil(members.length / ROUND_TURNS)
    awake.length = 0
    for (let i = 0; i < count; i++) {
      if (this.next <= 0 || this.next > members.length) this.next = members.length
      const member = members[--this.next]!
      member.wake()
      awake.push(member)
    }
  }

  private get isLong(): boolean {
    return this.members.length <= CROWD && performance.now() > this.until
  }

  private end(): void {
    clearInterval(this.timer!)
    this.timer = null
    this.awake = []
    for (const member of this.members) member.wake()
  }
}

export const rounds = new Rounds() // the worker's
