// core/auth/auth-answer.ts: what becomes of the answer of a server that forwardAuth has asked.
//
// Hot: no; once per request that is asked about. What the answer says of a user goes into the request under names that the
// server believes, so first all that the client sent under any spelling of these names goes out of it.

import { NONE } from '../errors.ts'
import { METHOD_HEAD, type Exchange } from '../exchange.ts'
import { DROPPED, SET_COOKIE, UNKNOWN, headerNames } from '../header-ids.ts'
import type { Head } from '../headers.ts'
import { isLocation } from '../middleware/http/redirect.ts'
import { isFraming } from '../middleware/header-line.ts'
import { foldedName, removeFolded } from '../middleware/own-headers.ts'
import type { SideAnswer } from '../middleware/worker.ts'
import type { SafeRegex } from '../regex.ts'

export interface AnswerOptions {
  readonly url: string
  readonly path: string
  readonly authResponseHeaders: readonly string[]
  readonly addAuthCookiesToResponse: readonly string[]
  readonly headerField: string
  readonly preserveLocationHeader: boolean
}

export class AuthAnswer {
  private readonly names: readonly string[]
  private readonly folded: ReadonlySet<string>
  private readonly regex: SafeRegex | null
  private readonly cookies: ReadonlySet<string>
  private readonly userField: string // lower case
  private readonly base: string
  private readonly keepsLocation: boolean

  constructor(options: AnswerOptions, regex: SafeRegex | null) {
    this.names = options.authResponseHeaders
    this.folded = new Set(this.names.map(foldedName))
    this.regex = regex
    this.cookies = new Set(options.addAuthCookiesToResponse)
    this.userField = options.headerField.toLowerCase()
    this.base = options.url + options.path
    this.keepsLocation = options.preserveLocationHeader
  }

  // Of a 2xx. The cookies that are for the client's response.
  pass(exchange: Exchange, { headers }: SideAnswer): string[] {
    const { request } = exchange
    removeFolded(request, this.folded)
    if (this.regex !== null) removeMatching(request, this.regex)
    for (const name of this.names) {
      for (const value of headers.getAll(name.toLowerCase())) request.add(name, value)
    }
    if (this.regex !== null) copyMatching(headers, request, this.regex, this.folded)
    if (this.userField !== '') exchange.user = headers.get(this.userField) ?? ''
    if (this.cookies.size === 0) return []
    return headers.getAll('set-cookie').filter((line) => this.cookies.has(cookieName(line)))
  }

  // Whether pass() looks at this header of an answer.
  wants(name: string): boolean {
    const lower = name.toLowerCase()
    if (lower === this.userField || this.folded.has(foldedName(name))) return true
    return this.regex !== null && isTaken(this.regex, name)
  }

  // A cookie of the server under such a name goes.
  addCookies(response: Head, lines: readonly string[]): void {
    const given = response.getAll('set-cookie')
    const kept = given.filter((line) => !this.cookies.has(cookieName(line)))
    if (kept.length < given.length) {
      response.remove('set-cookie')
      for (const line of kept) response.add('Set-Cookie', line)
    }
    for (const line of lines) response.add('Set-Cookie', line)
  }

  // Of any other: to the client as it is, but that a Location is seen from there.
  give(exchange: Exchange, { status, headers, body }: SideAnswer): void {
    exchange.answer(status, NONE, body, '')
    if (exchange.methodId === METHOD_HEAD && body.length === 0) keepLength(exchange, headers)
    eachLine(headers, (name, value) => {
      const lower = name.toLowerCase()
      if (isFraming(lower)) return
      const given = lower === 'location' && !this.keepsLocation ? this.absolute(value) : value
      exchange.response.add(name, given)
    })
  }

  private absolute(location: string): string {
    if (!URL.canParse(location, this.base)) return location
    const { href } = new URL(location, this.base)
    return isLocation(href) ? href : location
  }
}

// What was asked with HEAD (preserveRequestMethod) has the length of a body that does not come.
function keepLength(exchange: Exchange, headers: Head): void {
  const length = headers.get('content-length') ?? ''
  if (/^[0-9]{1,15}$/.test(length)) exchange.responseLength = Number(length)
}

export function eachLine(head: Head, take: (name: string, value: string) => void): void {
  for (let line = 0; line < head.count; line++) {
    if (head.ids[line] !== DROPPED) take(head.spellingAt(line), head.valueAt(line))
  }
  for (let i = 0; i < head.extraCount; i++) take(head.extraNames[i]!, head.extraValues[i]!)
}

// 'x-auth-user' -> 'X-Auth-User': expressions are written for names as Go spells them.
function canonical(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
}

// Never what frames a message or says where it goes.
function isTaken(regex: SafeRegex, name: string): boolean {
  const lower = foldedName(name)
  if (lower === 'host' || isFraming(lower)) return false
  return regex.test(canonical(lower)) || regex.test(canonical(name))
}

function removeMatching(head: Head, regex: SafeRegex): void {
  for (let line = 0; line < head.count; line++) {
    const id = head.ids[line]!
    if (id === DROPPED) continue
    const name = id === UNKNOWN ? head.spellingAt(line) : headerNames[id]!
    if (isTaken(regex, name)) head.drop(line)
  }
  const extras = new Set(head.extraNames.slice(0, head.extraCount))
  for (const name of extras) if (isTaken(regex, name)) head.remove(name.toLowerCase())
}

// Those of the list are there already. A cookie is for the client, and no business of the server.
function copyMatching(from: Head, to: Head, regex: SafeRegex, done: ReadonlySet<string>): void {
  eachLine(from, (name, value) => {
    if (done.has(foldedName(name)) || name.toLowerCase() === headerNames[SET_COOKIE]) return
    if (isTaken(regex, name)) to.add(name, value)
  })
}

function cookieName(line: string): string {
  const equals = line.indexOf('=')
  return equals < 0 ? '' : line.slice(0, equals).trim()
}
