// workers/access-log.ts: the access log of one worker: lines are gathered here and sent on in pieces.
//
// Owner:  the worker's context. The supervisor writes the lines to their file.
// Hot:    record, when the log is on. A line is text appended to text; one message carries many of them.
//
// Lines wait in `text` until 32 KiB of them are there or 250 ms have passed; with bufferingSize until as many
// lines are there, or 5 s have passed, or 1 MiB is full. When the supervisor says what it has taken (taken), at
// most 4 MiB may be on their way; what does not fit is counted in `lost`, because a log that can't be written
// must not hold up a request nor fill the memory.

import { performance } from 'node:perf_hooks'
import { type LineFacts, isKept, lineOf } from '../core/access-log/line.ts'
import { type LineSettings, compileSettings } from '../core/access-log/settings.ts'
import { timerMs } from '../core/timer-ms.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { AccessLogPlan } from './messages.ts'

export const FLUSH_LENGTH = 32 * 1024
export const FLUSH_INTERVAL_MS = 250
export const HELD_LENGTH = 1024 * 1024 // with bufferingSize
export const HELD_INTERVAL_MS = 5000 // a line of a quiet night shall not wait for a thousand others
export const WAITING_MAX = 4 * 1024 * 1024

export class AccessLog {
  lost = 0
  private readonly settings: LineSettings
  private readonly send: (lines: string, count: number) => void
  private readonly acknowledged: boolean
  private readonly json: boolean
  private readonly flushCount: number // lines; bufferingSize, where it is set
  private readonly flushLength: number
  private readonly flushIntervalMs: number
  private text = ''
  private count = 0 // lines in text
  private underway = 0 // length of what was sent and not yet taken
  private requestCount = 0
  private timer: ReturnType<typeof setTimeout> | null = null
  private readonly onTimer = () => this.flush()
  private second = -1 // of the cached texts below, since the epoch
  private secondUtc = ''
  private secondLocal = ''
  private secondClf = ''
  private zone = 'Z' // of secondLocal
  private readonly facts: LineFacts = {
    now: 0,
    requestCount: 0,
    startUtc: '',
    startLocal: '',
    startClf: '',
    endUtc: '',
    serviceName: '',
  }

  // `acknowledged`: the receiver calls taken() for what it was sent.
  constructor(
    plan: AccessLogPlan,
    send: (lines: string, count: number) => void,
    acknowledged = false,
  ) {
    this.settings = compileSettings(plan)
    this.json = plan.format === 'json'
    const holds = plan.bufferingSize > 0
    this.flushCount = holds ? plan.bufferingSize : Infinity
    this.flushLength = holds ? HELD_LENGTH : FLUSH_LENGTH
    this.flushIntervalMs = holds ? HELD_INTERVAL_MS : FLUSH_INTERVAL_MS
    this.send = send
    this.acknowledged = acknowledged
  }

  record(exchange: LiveExchange, now: number): void {
    this.requestCount++
    if (!isKept(this.settings, exchange, now)) return
    const line = lineOf(this.settings, exchange, this.factsOf(exchange, now))
    if (this.text.length + this.underway + line.length > WAITING_MAX) {
      this.lost++
      return
    }
    this.text += line
    this.count++
    if (this.text.length >= this.flushLength || this.count >= this.flushCount) this.flush()
    else if (this.timer === null) this.startTimer()
  }

  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    if (this.count === 0) return
    const { text, count } = this
    this.text = ''
    this.count = 0
    if (this.acknowledged) this.underway += text.length
    this.send(text, count)
  }

  // How many lines were lost since this was asked last.
  takeLost(): number {
    const lost = this.lost
    this.lost = 0
    return lost
  }

  // The receiver is through with `length` characters of what it was sent.
  taken(length: number): void {
    this.underway = Math.max(0, this.underway - length)
  }

  private startTimer(): void {
    this.timer = setTimeout(this.onTimer, timerMs(this.flushIntervalMs))
    this.timer.unref()
  }

  // Texts of the time are made once per second, not once per line.
  private factsOf(exchange: LiveExchange, now: number): LineFacts {
    const { facts } = this
    facts.now = now
    facts.requestCount = this.requestCount
    facts.serviceName = exchange.service === null ? '' : exchange.service.name
    if (exchange.serviceName !== '') facts.serviceName = exchange.serviceName
    const startMs = performance.timeOrigin + exchange.startedAt
    this.turnTo(startMs)
    facts.startClf = this.secondClf
    if (!this.json) return facts
    const fraction = '.' + nineDigits(startMs * 1e6 - this.second * 1e9)
    facts.startUtc = this.secondUtc + fraction + 'Z'
    facts.startLocal = this.secondLocal + fraction + this.zone
    const endMs = performance.timeOrigin + now
    // Of a long exchange the end is in another second than the start; most are short.
    if (endMs >= (this.second + 1) * 1000) {
      facts.endUtc = new Date(endMs).toISOString().slice(0, 19) + 'Z'
    } else facts.endUtc = this.secondUtc + 'Z'
    return facts
  }

  private turnTo(ms: number): void {
    const second = Math.floor(ms / 1000)
    if (second === this.second) return
    this.second = second
    const date = new Date(second * 1000)
    this.secondUtc = date.toISOString().slice(0, 19)
    this.secondClf = clfTime(date)
    const offset = -date.getTimezoneOffset() // minutes east of UTC
    this.secondLocal = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19)
    this.zone = zoneText(offset)
  }
}

function nineDigits(nanoseconds: number): string {
  const whole = Math.min(999_999_999, Math.max(0, Math.floor(nanoseconds)))
  return String(1_000_000_000 + whole).slice(1)
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function clfTime(date: Date): string {
  const day = String(date.getUTCDate()).padStart(2, '0')
  const month = months[date.getUTCMonth()]!
  return `${day}/${month}/${date.getUTCFullYear()}:${date.toISOString().slice(11, 19)} +0000`
}

function zoneText(offset: number): string {
  if (offset === 0) return 'Z'
  const hours = String(Math.floor(Math.abs(offset) / 60)).padStart(2, '0')
  const minutes = String(Math.abs(offset) % 60).padStart(2, '0')
  return `${offset < 0 ? '-' : '+'}${hours}:${minutes}`
}
