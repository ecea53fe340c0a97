// config/compile/middleware-words.ts: what checks of middleware options are written in.
//
// Each says what is wrong with a value, or '' when nothing is. Hot: no.

import { parseCidr } from '../../core/address.ts'
import { compileRegex } from '../../core/regex.ts'
import { UrlReplacing } from '../../core/regex/url-replacing.ts'
import type { Path } from '../problem.ts'

export interface Fault {
  readonly key: Path // within the options
  readonly message: string
}

export function failing(
  key: string,
  values: readonly string[],
  check: (value: string) => string,
): Fault[] {
  const faults: Fault[] = []
  values.forEach((value, at) => {
    const message = check(value)
    if (message !== '') faults.push({ key: [key, at], message: `${key}: ${message}` })
  })
  return faults
}

export const one = (key: string, value: string, check: (value: string) => string): Fault[] =>
  failing(key, [value], check).map((fault) => ({ ...fault, key: [key] }))

export function quoted(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value)
}

export const wantPath = (value: string): string =>
  value.startsWith('/') ? hasControls(value) : `${quoted(value)} must begin with "/"`

export function wantPort(port: string): string {
  const number = Number(port)
  const isPort = /^\d{1,5}$/.test(port) && number >= 1 && number <= 65_535
  return isPort ? '' : `${quoted(port)} is none`
}

export const wantRange = (value: string): string =>
  parseCidr(value) === null ? `${quoted(value)} is not an address or CIDR` : ''

export const wantRegex = (source: string): string => whyNot(source, () => compileRegex(source))

// Of an expression whose matches are to be replaced.
export const wantReplacing = (source: string): string =>
  whyNot(source, () => new UrlReplacing(source, ''))

function whyNot(source: string, compile: () => unknown): string {
  try {
    compile()
    return ''
  } catch (error) {
    return `${quoted(source)}: ${(error as Error).message}`
  }
}

// The value may be a secret and stays out of the message.
export const hasControls = (value: string): string =>
  // oxlint-disable-next-line no-control-regex -- these are what must not get into a head
  /[\0-\x08\x0a-\x1f\x7f]/.test(value) ? 'the value holds a control character' : ''

export const wantName = (name: string): string =>
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) ? '' : `${quoted(name)} is not a header name`

export function headerMap(key: string, headers: Readonly<Record<string, string>>): Fault[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    const message = wantName(name) || hasControls(value)
    return message === '' ? [] : [{ key: [key, name], message: `${key}: ${message}` }]
  })
}

export const wantStatus = (text: string): string => {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(text)
  const isRange = match !== null && Number(match[2] ?? match[1]) >= Number(match[1])
  return isRange ? '' : `${quoted(text)} is not a status such as 404 or 500-599`
}
