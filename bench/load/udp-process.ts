// bench/load/udp-process.ts: datagrams that come back, one in flight on each socket, so that each is a session of
// the peer's.
//
// Gets a plan as JSON in its first argument. A datagram that is not back after 200 ms is sent again and counted as a
// timeout; an echo that comes after all is not counted twice.

import dgram from 'node:dgram'
import type { LoadPlan } from './contract.ts'
import { EchoExchange } from './echo.ts'
import { Tally, giveUp } from './tally.ts'

const plan = JSON.parse(process.argv[2] ?? '{}') as LoadPlan
const tally = new Tally()
const AGAIN_MS = 200
const LOOK_MS = 20

class Client {
  readonly exchange = new EchoExchange()
  readonly socket = dgram.createSocket('udp4')

  open(): Promise<void> {
    this.socket.on('error', (error) => giveUp(error.message))
    this.socket.on('message', (bytes: Buffer) => this.onMessage(bytes))
    return new Promise((resolve) => this.socket.connect(plan.port, '127.0.0.1', resolve))
  }

  send(): void {
    if (!tally.isOver) this.write(this.exchange.next(performance.now()))
  }

  // An ICMP refusal is a lost datagram like any other: the next look sends it again.
  write(bytes: Buffer): void {
    this.socket.send(bytes, () => {})
  }

  onMessage(bytes: Buffer): void {
    const latencyMs = performance.now() - this.exchange.startedAt
    const echo = this.exchange.take(bytes)
    if (echo === 'answer') {
      tally.answered(latencyMs)
      this.send()
    } else if (echo === 'wrong') tally.failedStatus++
  }

  look(now: number): void {
    if (!this.exchange.isOverdue(now, AGAIN_MS)) return
    tally.timeouts++
    if (tally.isOver) this.exchange.sentAt = 0
    else this.write(this.exchange.again(now))
  }
}

function lookAtAll(): void {
  const now = performance.now()
  for (const client of clients) client.look(now)
}

const clients = Array.from({ length: plan.connections }, () => new Client())
await Promise.all(clients.map((client) => client.open()))
setInterval(lookAtAll, LOOK_MS)
tally.run(plan.seconds, () => clients.filter(({ exchange }) => exchange.sentAt !== 0).length)
for (const client of clients) client.send()
