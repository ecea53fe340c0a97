// workers/operations-log.ts: what the gateway says about itself to its operator, on pino.
//
// Owner:  the supervisor; workers hand their sentences to it. Hot: no; nothing is logged per request.
//
// Levels are Traefik's. `common` is a line for people, `json` one for machines; both go to stderr when no
// file is named, because stdout is the access log's. Values under names that hold secrets are replaced, and
// control bytes never leave as they are: a message may quote a peer or a file.

import process from 'node:process'
import { pino } from 'pino'
import type { SonicBoom } from 'sonic-boom'
import sonicBoom from 'sonic-boom'
import { Rotation, type RotationOptions } from './log-rotation.ts'

export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL' | 'PANIC'

export interface LogOptions extends RotationOptions {
  readonly level: LogLevel
  readonly format: 'common' | 'json'
  readonly filePath: string // '' for stderr
  readonly noColor: boolean
}

export type LogFields = Readonly<Record<string, unknown>>

export interface OperationsLogFile {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  log(level: LogLevel, message: string, fields?: LogFields): void
  reopen(): void // USR1: the file was rotated
  close(): Promise<void>
}

const numbers: Readonly<Record<LogLevel, number>> = {
  TRACE: 10,
  DEBUG: 20,
  INFO: 30,
  WARN: 40,
  ERROR: 50,
  FATAL: 60,
  PANIC: 70,
}

const QUEUE_BYTES_MAX = 4 * 1024 * 1024

// The first file is opened at once and throws when it can't be: an operator who asked for a log and gets
// none must hear of it at start.
export function createLog(options: LogOptions): OperationsLogFile {
  const sink = new Sink(options.filePath, options)
  const color = !options.noColor && options.filePath === '' && process.stderr.isTTY
  const write = (line: string) => sink.write(line)
  const lines = options.format === 'json' ? { write } : { write: commonWriter(write, color) }
  const logger = pino(
    {
      level: nameOf(options.level),
      customLevels: { panic: numbers.PANIC },
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  )
  const log = (level: LogLevel, message: string, fields: LogFields = {}) => {
    logger[nameOf(level)](withoutSecrets(fields, 0), message)
  }
  return {
    debug: (message, fields) => log('DEBUG', message, fields),
    info: (message, fields) => log('INFO', message, fields),
    warn: (message, fields) => log('WARN', message, fields),
    error: (message, fields) => log('ERROR', message, fields),
    log,
    reopen: () => sink.reopen(),
    close: () => sink.close(),
  }
}

type PinoLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'panic'

function nameOf(level: LogLevel): PinoLevel {
  return level.toLowerCase() as PinoLevel
}

// The file, or stderr. A reopen makes a new stream beside the old one, which writes out what it still has; so does
// a rotation, before the line that would make the file too long.
class Sink {
  private readonly path: string
  private readonly rotation: Rotation | null
  private stream: SonicBoom
  private bytes = 0 // in the file

  constructor(path: string, options: RotationOptions) {
    this.path = path
    this.rotation = path === '' ? null : new Rotation(path, options)
    this.stream = this.open()
    this.bytes = this.rotation?.sizeNow() ?? 0
    this.rotation?.clean()
  }

  write(line: string): void {
    if (this.rotation !== null) {
      const length = Buffer.byteLength(line)
      if (this.bytes > 0 && this.bytes + length > this.rotation.bytesMax) this.rotate(this.rotation)
      this.bytes += length
    }
    this.stream.write(line)
  }

  private rotate(rotation: Rotation): void {
    this.bytes = 0 // when it fails, it is tried again after as many bytes
    try {
      rotation.moveAway()
    } catch (error) {
      this.stream.write(`the log could not be rotated and grows on: ${reasonOf(error)}\n`)
      return
    }
    this.reopen()
    rotation.clean()
  }

  reopen(): void {
    if (this.rotation === null) return
    const before = this.stream
    try {
      this.stream = this.open()
    } catch (error) {
      const reason = reasonOf(error)
      this.stream.write(`the log could not be reopened and goes on in the old file: ${reason}\n`)
      return
    }
    this.bytes = this.rotation.sizeNow()
    before.end()
  }

  async close(): Promise<void> {
    await this.rotation?.end()
    return new Promise((resolve) => {
      this.stream.once('close', resolve)
      this.stream.once('error', () => resolve()) // what can't be written now never will be
      this.stream.end()
    })
  }

  // Synchronous: the last sentence before a crash is the one that is needed.
  private open(): SonicBoom {
    const place = this.path === '' ? { fd: 2 } : { dest: this.path, mkdir: true }
    const stream = new sonicBoom.SonicBoom({ ...place, sync: true, maxLength: QUEUE_BYTES_MAX })
    stream.on('error', ignore) // a full disk must not end the gateway; metrics tell of it
    return stream
  }
}

function ignore(): void {}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

// 2026-01-02T15:04:05Z WRN message name=value
function commonWriter(write: (line: string) => void, color: boolean): (line: string) => void {
  return (line) => {
    const { time, level, message, ...fields } = JSON.parse(line) as Record<string, unknown>
    const short = shortLevels[String(level)] ?? String(level)
    const mark = color ? `\x1b[${colors[short] ?? 0}m${short}\x1b[0m` : short
    let text = `${String(time).slice(0, 19)}Z ${mark} ${oneLine(String(message ?? ''))}`
    for (const [name, value] of Object.entries(fields)) text += ` ${name}=${fieldText(value)}`
    write(text + '\n')
  }
}

const shortLevels: Readonly<Record<string, string>> = {
  trace: 'TRC',
  debug: 'DBG',
  info: 'INF',
  warn: 'WRN',
  error: 'ERR',
  fatal: 'FTL',
  panic: 'PNC',
}

const colors: Readonly<Record<string, number>> = { TRC: 90, DBG: 36, INF: 32, WRN: 33, ERR: 31 }

// Configuration problems come as several lines; each keeps its own, indented, and nothing else may end one.
function oneLine(text: string): string {
  return text.replace(CONTROL, (c) => (c === '\n' ? '\n  ' : escaped(c)))
}

function fieldText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text).replace(CONTROL, escaped)
}

const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g

function escaped(character: string): string {
  return '\\u' + character.charCodeAt(0).toString(16).padStart(4, '0')
}

const SECRET = /passw|secret|token|authorization|cookie|api-?key|credential|private/i
const DEPTH_MAX = 4

// At whatever depth a secret is written: pino's own redaction needs to know each path beforehand.
function withoutSecrets(value: unknown, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value as LogFields)) {
    result[key] = SECRET.test(key) ? 'REDACTED' : shown(item, depth)
  }
  return result
}

function shown(item: unknown, depth: number): unknown {
  if (item instanceof Error) return item.message
  if (typeof item !== 'object' || item === null) return item
  if (depth >= DEPTH_MAX) return '...'
  if (Array.isArray(item)) return item.map((one) => shown(one, depth + 1))
  return withoutSecrets(item, depth + 1)
}
