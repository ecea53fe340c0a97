// core/h2/request-head.ts: turns the fields of an HTTP/2 request into the head that HTTP/1 would have brought.
//
// Owner:  a worker has one; it serves one header block after the other.
// Hot:    yes, once per request.
//
// The text that is made is an HTTP/1.1 head, and it is read by the very functions that read those
// (core/h1/target.ts, request-fields.ts): so what HTTP/1 refuses is refused here with the same code, and
// everything behind this file knows one form of a request. What only HTTP/2 can get wrong (RFC 9113, sections
// 8.2 and 8.3) is checked here. Nothing is repaired: the only field that is left out is a Host that says what
// :authority said.
//
//   :method GET  :scheme https  :authority a.test  :path /x   cookie: a=1  cookie: b=2   accept: *
//   "GET /x HTTP/1.1" "host: a.test" "accept: *" "cookie: a=1; b=2"

import { METHOD_OTHER, SAW_ALIAS, methodNames } from '../exchange.ts'
import type { Exchange } from '../exchange.ts'
import {
  CONNECT_REFUSED,
  H2_AUTHORITY,
  H2_HEAD,
  HEADERS_TOO_LARGE,
  HEADERS_TOO_MANY,
  HOST_DOUBLE,
  NONE,
  REQUEST_FRAGMENT,
  REQUEST_METHOD,
  REQUEST_TARGET,
  TARGET_TOO_LONG,
} from '../errors.ts'
import {
  CONNECTION,
  COOKIE,
  HOST,
  HTTP2_SETTINGS,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TE,
  TRANSFER_ENCODING,
  UNKNOWN,
  UPGRADE,
} from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { readRequestFields } from '../h1/request-fields.ts'
import { readTarget } from '../h1/target.ts'
import { isTarget, isToken } from '../h1/text.ts'
import type { HeadLimits } from '../limits.ts'
import type { FieldSink } from './hpack-decoder.ts'
import {
  type Field,
  PSEUDO_AUTHORITY,
  PSEUDO_METHOD,
  PSEUDO_OTHER,
  PSEUDO_PATH,
  PSEUDO_PROTOCOL,
  PSEUDO_SCHEME,
  REGULAR,
} from './hpack-table.ts'

const METHOD_LENGTH_MAX = 32 // as in HTTP/1
const LINE_OVERHEAD = 4 // ": " and CR LF
const NOT_GIVEN = ''

// Fields that belong to one connection (section 8.2.2): there is none of that kind here.
const FOREIGN = new Uint8Array(256)
for (const id of [
  CONNECTION,
  TRANSFER_ENCODING,
  UPGRADE,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  HTTP2_SETTINGS,
]) {
  FOREIGN[id] = 1
}

const methodIds = new Map<string, number>()
for (let id = 1; id < methodNames.length; id++) methodIds.set(methodNames[id]!, id)

export class RequestHead implements FieldSink {
  code = NONE // the first thing that was wrong
  private exchange: Exchange | null = null
  private head: Head | null = null
  private limits: HeadLimits | null = null
  private bytes = 0 // of the head as HTTP/1 would have it, cookies one by one
  private fields = 0
  private pseudos = 0 // bits of those that were given
  private method = NOT_GIVEN
  private authority = NOT_GIVEN
  private path = NOT_GIVEN
  private protocol = NOT_GIVEN
  private hasHost = false
  private cookies = NOT_GIVEN
  private sealed = false // the request line is written: regular fields have begun
  private text = ''

  begin(exchange: Exchange, limits: HeadLimits): void {
    this.code = NONE
    this.exchange = exchange
    this.head = exchange.request
    this.limits = limits
    this.bytes = 0
    this.fields = 0
    this.pseudos = 0
    this.method = NOT_GIVEN
    this.authority = NOT_GIVEN
    this.path = NOT_GIVEN
    this.protocol = NOT_GIVEN
    this.hasHost = false
    this.cookies = NOT_GIVEN
    this.sealed = false
    this.text = ''
  }

  // After an error the rest of the block is only counted by nobody: it has no effect.
  field(field: Field): void {
    if (this.code !== NONE) return
    const { name, value } = field
    this.bytes += name.text.length + value.length + LINE_OVERHEAD
    if (this.bytes > this.limits!.headBytesMax) {
      this.code = name.pseudo === PSEUDO_PATH ? TARGET_TOO_LONG : HEADERS_TOO_LARGE
    } else if (field.error !== NONE) this.code = field.error
    else this.code = name.pseudo === REGULAR ? this.addField(field) : this.setPseudo(field)
  }

  // The block is complete. `webSocketKey` is for an extended CONNECT, whose server speaks HTTP/1. Fills the
  // exchange; returns NONE or a code.
  finish(webSocketKey: () => string): number {
    if (this.code === NONE && !this.sealed) this.code = this.seal()
    if (this.code === NONE) this.code = this.conclude(webSocketKey)
    this.exchange = null
    this.head = null
    this.text = ''
    return this.code
  }

  // ---- pseudo fields: each once, before the others, none empty

  private setPseudo(field: Field): number {
    const { pseudo } = field.name
    const { value } = field
    const bit = 1 << pseudo
    if (this.sealed || (this.pseudos & bit) !== 0 || value === '') return H2_HEAD
    this.pseudos |= bit
    switch (pseudo) {
      case PSEUDO_METHOD:
        this.method = value
        return value.length <= METHOD_LENGTH_MAX && isToken(value) ? NONE : REQUEST_METHOD
      case PSEUDO_SCHEME:
        return value === 'https' || value === 'http' ? NONE : H2_HEAD
      case PSEUDO_AUTHORITY:
        this.authority = value
        return NONE
      case PSEUDO_PATH:
        this.path = value
        return NONE
      case PSEUDO_PROTOCOL:
        this.protocol = value
        return NONE
      default:
        return H2_HEAD
    }
  }

  // RFC 8441: a WebSocket, for a server of HTTP/1.
  get isConnect(): boolean {
    return this.has(PSEUDO_PROTOCOL)
  }

  private has(pseudo: number): boolean {
    return (this.pseudos & (1 << pseudo)) !== 0
  }

  // The request line and Host. An ordinary CONNECT names its authority only; an extended one (RFC 8441) has a
  // protocol and everything else.
  private seal(): number {
    this.sealed = true
    if (!this.has(PSEUDO_METHOD) || this.has(PSEUDO_OTHER)) return H2_HEAD
    const tunnel = this.method === 'CONNECT' && !this.has(PSEUDO_PROTOCOL)
    const all = this.has(PSEUDO_SCHEME) && this.has(PSEUDO_PATH)
    if (tunnel ? this.has(PSEUDO_SCHEME) || this.has(PSEUDO_PATH) : !all) return H2_HEAD
    if (this.has(PSEUDO_PROTOCOL) && this.method !== 'CONNECT') return H2_HEAD
    if (tunnel && !this.has(PSEUDO_AUTHORITY)) return H2_HEAD
    if (tunnel) return this.writeLine('CONNECT', this.authority)
    if (!isTarget(this.path)) return this.path.includes('#') ? REQUEST_FRAGMENT : REQUEST_TARGET
    // An absolute target is a form of HTTP/1: here scheme and authority have fields of their own.
    const first = this.path.charCodeAt(0)
    if (first !== 47 && !(this.path === '*' && this.method === 'OPTIONS')) return REQUEST_TARGET
    if (!this.has(PSEUDO_PROTOCOL)) return this.writeLine(this.method, this.path)
    if (this.protocol !== 'websocket') return CONNECT_REFUSED
    return this.writeLine('GET', this.path)
  }

  private writeLine(method: string, target: string): number {
    const exchange = this.exchange!
    exchange.method = method
    exchange.methodId = methodIds.get(method) ?? METHOD_OTHER
    exchange.versionMinor = 1
    exchange.targetStart = method.length + 1
    exchange.targetEnd = exchange.targetStart + target.length
    this.text = method + ' ' + target + ' HTTP/1.1\r\n'
    this.head!.linesStart = this.text.length
    const targetBytes = Buffer.from(target, 'latin1')
    const error = readTarget(exchange, targetBytes, 0, targetBytes.length)
    if (error !== NONE) return error
    if (this.has(PSEUDO_AUTHORITY)) this.addLine('host', HOST, this.authority)
    return NONE
  }

  // ---- regular fields

  private addField(field: Field): number {
    if (!this.sealed) {
      const error = this.seal()
      if (error !== NONE) return error
    }
    const { name, value } = field
    const { id } = name
    if (++this.fields > this.limits!.headerCountMax) return HEADERS_TOO_MANY
    if (id === UNKNOWN) {
      if (name.alias) this.exchange!.facts |= SAW_ALIAS
    } else if (FOREIGN[id] === 1) return H2_HEAD
    else if (id === TE) {
      if (value !== 'trailers') return H2_HEAD
    } else if (id === HOST) {
      return this.addHost(value)
    } else if (id === COOKIE) {
      this.cookies = this.cookies === NOT_GIVEN ? value : this.cookies + '; ' + value // section 8.2.3
      return NONE
    }
    this.addLine(name.text, id, value)
    return NONE
  }

  private addHost(value: string): number {
    if (this.hasHost) return HOST_DOUBLE
    this.hasHost = true
    if (!this.has(PSEUDO_AUTHORITY)) {
      this.addLine('host', HOST, value)
      return NONE
    }
    return value.toLowerCase() === this.authority.toLowerCase() ? NONE : H2_AUTHORITY
  }

  private addLine(name: string, id: number, value: string): void {
    const head = this.head!
    head.grow()
    const line = head.count
    const { offsets } = head
    const start = this.text.length
    const valueStart = start + name.length + 2
    offsets[line * 4] = start
    offsets[line * 4 + 1] = valueStart - 2
    offsets[line * 4 + 2] = valueStart
    offsets[line * 4 + 3] = valueStart + value.length
    head.ids[line] = id
    head.count = line + 1
    this.text += name + ': ' + value + '\r\n'
  }

  private conclude(webSocketKey: () => string): number {
    const exchange = this.exchange!
    const head = this.head!
    if (this.cookies !== NOT_GIVEN) this.addLine('cookie', COOKIE, this.cookies)
    if (this.has(PSEUDO_PROTOCOL)) {
      this.addLine('connection', CONNECTION, 'upgrade')
      this.addLine('upgrade', UPGRADE, 'websocket')
      this.addLine('sec-websocket-key', UNKNOWN, webSocketKey())
    }
    head.linesEnd = this.text.length
    head.text = this.text + '\r\n'
    return readRequestFields(exchange)
  }
}
