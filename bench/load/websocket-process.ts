// bench/load/websocket-process.ts: WebSocket messages that come back, one in flight on each connection.
//
// Gets a plan as JSON in its first argument. All connections are open before the clock starts. One that is lost
// counts as failed and is opened again; a message that comes back changed is a failed answer.

import { WebSocket } from 'ws'
import type { LoadPlan } from './contract.ts'
import { EchoExchange } from './echo.ts'
import { Tally, giveUp } from './tally.ts'

const plan = JSON.parse(process.argv[2] ?? '{}') as LoadPlan
const host = plan.requests[0]?.host ?? 'bench.test'
const tally = new Tally()
const OPENED_WITHIN_MS = 5000
const RECONNECT_MS = 5

let isRunning = false

class Client {
  readonly exchange = new EchoExchange()
  socket: WebSocket | null = null

  connect(): void {
    const url = `ws://127.0.0.1:${plan.port}/echo`
    const socket = new WebSocket(url, { perMessageDeflate: false, headers: { host } })
    this.socket = socket
    socket.on('open', () => this.onOpen())
    socket.on('message', (bytes: Buffer) => this.onMessage(bytes))
    socket.on('error', (error) => this.onError(error))
    socket.on('close', () => this.onClose())
  }

  onOpen(): void {
    if (isRunning) this.send()
    else if (clients.every(({ socket }) => socket?.readyState === WebSocket.OPEN)) begin()
  }

  send(): void {
    if (!tally.isOver) this.socket?.send(this.exchange.next(performance.now()))
  }

  onMessage(bytes: Buffer): void {
    const now = performance.now()
    const latencyMs = now - this.exchange.startedAt
    if (this.exchange.take(bytes) === 'answer') tally.answered(latencyMs)
    else this.onWrong()
    this.send()
  }

  // Nothing is sent twice here, so a late echo is as wrong as a changed one.
  onWrong(): void {
    tally.failedStatus++
    this.exchange.sentAt = 0
  }

  onError(error: Error): void {
    if (!isRunning) giveUp(`a connection did not open: ${error.message}`)
  }

  onClose(): void {
    if (!isRunning) giveUp('a connection was closed before the load began')
    tally.failedConnections++
    this.exchange.sentAt = 0
    if (!tally.isOver) setTimeout(() => this.connect(), RECONNECT_MS)
  }
}

function begin(): void {
  clearTimeout(opener)
  isRunning = true
  for (const client of clients) client.send()
  tally.run(plan.seconds, () => clients.filter(({ exchange }) => exchange.sentAt !== 0).length)
}

const opener = setTimeout(() => giveUp('not all connections opened in 5 s'), OPENED_WITHIN_MS)
const clients = Array.from({ length: plan.connections }, () => new Client())
for (const client of clients) client.connect()
