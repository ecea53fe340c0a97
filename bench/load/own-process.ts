// bench/load/own-process.ts: our load generator, in a process of its own so that it can be pinned.
//
// Gets a plan as JSON in its first argument, writes one LoadResult as JSON when it is done. Closed loop: every
// connection sends its next request when it has its answer. Paced: requests fall due at a fixed rate and
// latency counts from the due time, so a stall of the peer shows in every request that it delayed.
// Requests are bytes made beforehand. Answers are framed by Content-Length, or by chunks: of those the last bytes are
// compared with an end of chunks. An answer without either is a failure.

import net from 'node:net'
import type { LoadPlan, LoadResult } from './contract.ts'
import { requestBytes } from './contract.ts'
import { Latencies } from './latencies.ts'

const plan = JSON.parse(process.argv[2] ?? '{}') as LoadPlan
const wires = plan.requests.map((shape) => requestBytes(shape, plan.isClosing))
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)
const latencies = new Latencies()
const LENGTH = /\r\ncontent-length:[ \t]*(\d+)/i
const CHUNKED = /\r\ntransfer-encoding:[ \t]*chunked\r\n/i
const END = '\r\n0\r\n\r\n'
const DRAIN_MS = 2000
const RECONNECT_MS = 5

let wireIndex = 0
let requests = 0
let failedStatus = 0
let failedConnections = 0
let isOver = false
const idle: Connection[] = [] // paced load only
const due: number[] = [] // due times that found no idle connection
let dueHead = 0

class Connection {
  socket: net.Socket | null = null
  sentAt = 0 // 0: nothing in flight
  head = '' // of an answer whose head has not ended yet
  bodyLeft = -1 // -1: reading a head
  tail: string | null = null // the last bytes of a chunked body
  status = 0

  constructor() {
    this.connect()
  }

  connect(): void {
    const onread = {
      buffer: readBuffer,
      callback: (bytes: number) => {
        this.onBytes(bytes)
        return true
      },
    }
    const socket = net.connect({ port: plan.port, host: '127.0.0.1', noDelay: true, onread })
    this.socket = socket
    socket.on('error', () => {}) // the close that follows is what counts
    socket.on('close', () => this.onClose(socket))
    this.next()
  }

  // What fell due before the end is asked after it, and is a failure if it fails: a machine that stood still at the end
  // left requests behind that nobody had sent.
  next(): void {
    if (dueHead < due.length) this.send(due[dueHead++] ?? 0)
    else if (isOver) return
    else if (plan.ratePerSecond === 0) this.send(performance.now())
    else idle.push(this)
  }

  send(dueAt: number): void {
    this.sentAt = dueAt
    this.write()
  }

  write(): void {
    this.socket?.write(wires[wireIndex] ?? '')
    wireIndex = wireIndex + 1 === wires.length ? 0 : wireIndex + 1
  }

  onBytes(bytes: number): void {
    if (this.tail !== null) {
      this.onChunks(readBuffer.toString('latin1', Math.max(0, bytes - END.length), bytes))
      return
    }
    if (this.bodyLeft >= 0) {
      this.onBody(bytes)
      return
    }
    const text = this.head + readBuffer.toString('latin1', 0, bytes)
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) {
      this.head = text
      return
    }
    const head = text.slice(0, end + 2)
    const length = LENGTH.exec(head)
    this.status = Number(text.slice(9, 12))
    this.head = ''
    if (length === null) {
      if (!CHUNKED.test(head)) this.fail()
      else this.onChunks(text.slice(end + 2))
      return
    }
    this.bodyLeft = Number(length[1])
    this.onBody(text.length - end - 4)
  }

  onChunks(bytes: string): void {
    this.tail = ((this.tail ?? '') + bytes).slice(-END.length)
    if (this.tail !== END) return
    this.tail = null
    this.bodyLeft = 0
    this.onBody(0)
  }

  onBody(bytes: number): void {
    this.bodyLeft -= bytes
    if (this.bodyLeft > 0) return
    if (this.bodyLeft < 0 || this.sentAt === 0) {
      this.fail() // more bytes than the answer has, or an answer to nothing
      return
    }
    this.bodyLeft = -1
    if (this.status >= 400) failedStatus++
    else if (!isOver) requests++ // else `seconds` knows nothing of it
    latencies.add((performance.now() - this.sentAt) * 1000)
    this.sentAt = 0
    if (plan.isClosing) this.reconnect()
    else this.next()
  }

  fail(): void {
    if (this.sentAt === 0) this.sentAt = -1 // so that the close counts it
    this.socket?.destroy()
  }

  reconnect(): void {
    const socket = this.socket
    this.socket = null
    socket?.destroy()
    if (isWanted()) this.connect()
  }

  // The peer may close a connection between two requests; with one in flight it is a failure.
  onClose(socket: net.Socket): void {
    if (this.socket !== socket) return
    if (this.sentAt !== 0) failedConnections++
    const idleIndex = idle.indexOf(this)
    if (idleIndex >= 0) idle.splice(idleIndex, 1)
    this.socket = null
    this.sentAt = 0
    this.head = ''
    this.bodyLeft = -1
    this.tail = null
    if (isWanted()) setTimeout(() => isWanted() && this.connect(), RECONNECT_MS)
  }
}

// Another connection: there is something to ask on it.
const isWanted = (): boolean => !isOver || dueHead < due.length

const startedAt = performance.now()
const connections = Array.from({ length: plan.connections }, () => new Connection())
const pacer = plan.ratePerSecond > 0 ? setInterval(pace, 1) : null
let paced = 0

function pace(): void {
  const target = ((performance.now() - startedAt) * plan.ratePerSecond) / 1000
  while (paced < target) {
    const dueAt = startedAt + (paced++ * 1000) / plan.ratePerSecond
    const connection = idle.pop()
    if (connection === undefined) due.push(dueAt)
    else connection.send(dueAt)
  }
}

setTimeout(() => {
  isOver = true
  if (pacer !== null) clearInterval(pacer)
  finish(performance.now() - startedAt, performance.now() + DRAIN_MS)
}, plan.seconds * 1000)

// Whatever is unanswered two seconds after the end has timed out. Latency of the drained ones counts too.
function finish(elapsedMs: number, deadline: number): void {
  const open = connections.filter((connection) => connection.sentAt !== 0).length
  const left = open + due.length - dueHead
  if (left > 0 && performance.now() < deadline) {
    setTimeout(finish, 10, elapsedMs, deadline)
    return
  }
  const result: LoadResult = {
    requests,
    seconds: elapsedMs / 1000,
    failedStatus,
    failedConnections,
    timeouts: left,
    p50Us: latencies.quantile(0.5),
    p99Us: latencies.quantile(0.99),
    maxUs: latencies.quantile(1),
  }
  process.stdout.write(JSON.stringify(result), () => process.exit(0))
}
