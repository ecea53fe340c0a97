// bench/load/tls-resume-process.ts: connections that each resume the TLS session of the one before, send one request
// and close. wrk and h2load only make new handshakes.
//
// Gets a plan as JSON in its first argument. Every slot first makes one full handshake to get a ticket, before the
// clock starts; from then on a handshake that the peer did not resume is a failure, whatever it answered.

import tls from 'node:tls'
import { AnswerReader } from './answer-reader.ts'
import type { LoadPlan } from './contract.ts'
import { requestBytes } from './contract.ts'
import { Tally, giveUp } from './tally.ts'

const plan = JSON.parse(process.argv[2] ?? '{}') as LoadPlan
const shape = plan.requests[0]
if (shape === undefined || plan.requests.length > 1) giveUp('tls-resume sends one request')
const wire = requestBytes(shape, true)
const secureContext = tls.createSecureContext()
const tally = new Tally()
const PRIMED_WITHIN_MS = 5000
const RECONNECT_MS = 5

let primed = 0
let isRunning = false

class Slot {
  session: Buffer | null = null
  socket: tls.TLSSocket | null = null
  reader = new AnswerReader()
  startedAt = 0 // of the connection; 0: none is counted

  connect(): void {
    this.startedAt = isRunning ? performance.now() : 0
    this.reader = new AnswerReader()
    const socket = tls.connect({
      port: plan.port,
      host: '127.0.0.1',
      servername: 'bench.test',
      secureContext,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
      ...(this.session === null ? {} : { session: this.session }),
    })
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('session', (session: Buffer) => (this.session = session))
    socket.on('secureConnect', () => this.onSecure(socket))
    socket.on('data', (bytes: Buffer) => this.onBytes(socket, bytes))
    socket.on('error', () => {}) // the close that follows is what counts
    socket.on('close', () => this.onClose(socket))
  }

  onSecure(socket: tls.TLSSocket): void {
    if (this.startedAt !== 0 && !socket.isSessionReused()) socket.destroy()
    else socket.write(wire)
  }

  onBytes(socket: tls.TLSSocket, bytes: Buffer): void {
    if (this.socket !== socket) return
    const status = this.reader.push(bytes)
    if (status === 0) return
    if (status < 0) {
      socket.destroy()
      return
    }
    if (this.startedAt === 0) this.onPrimed(status)
    else this.onAnswer(status)
    this.socket = null
    socket.destroy()
  }

  onPrimed(status: number): void {
    if (this.session === null) giveUp('the peer gave no session to resume')
    if (status >= 400) giveUp(`the first request was answered with ${status}`)
    primed++
    if (primed === slots.length) begin()
  }

  onAnswer(status: number): void {
    if (status < 400) tally.answered(performance.now() - this.startedAt)
    else tally.failedStatus++
    this.startedAt = 0
    if (!tally.isOver) setImmediate(() => this.connect())
  }

  // Before the answer was complete, or because the session was not resumed.
  onClose(socket: tls.TLSSocket): void {
    if (this.socket !== socket) return
    this.socket = null
    if (!isRunning) giveUp('the first connection was closed without an answer')
    tally.failedConnections++
    this.startedAt = 0
    if (!tally.isOver) setTimeout(() => this.connect(), RECONNECT_MS)
  }
}

function begin(): void {
  clearTimeout(primer)
  isRunning = true
  for (const slot of slots) setImmediate(() => slot.connect())
  tally.run(plan.seconds, () => slots.filter((slot) => slot.startedAt !== 0).length)
}

const primer = setTimeout(() => giveUp('no first answer within 5 s'), PRIMED_WITHIN_MS)
const slots = Array.from({ length: plan.connections }, () => new Slot())
for (const slot of slots) slot.connect()
