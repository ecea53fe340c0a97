// core/access-log/address.ts: the target and the authority of a request as the access log writes them.
//
// Hot:    yes, when the access log is on.

import type { Exchange } from '../exchange.ts'
import type { Mode } from './settings.ts'

// The target as it arrived, whatever middlewares made of it; in absolute form only its path and query.
export function targetOf(exchange: Exchange, query: Mode): string {
  const { request, targetStart, targetEnd } = exchange
  const target = originForm(request.text.slice(targetStart, targetEnd))
  if (query === 'keep') return target
  const mark = target.indexOf('?')
  if (mark < 0) return target
  const path = target.slice(0, mark)
  return query === 'drop' ? path : path + '?' + redactQuery(target.slice(mark + 1))
}

function originForm(target: string): string {
  if (target.startsWith('/') || target === '') return target
  const at = target.indexOf('://')
  if (at < 0) return target
  const path = target.indexOf('/', at + 3)
  return path < 0 ? '/' : target.slice(path)
}

function redactQuery(query: string): string {
  return query.replace(VALUE, '=REDACTED')
}

const VALUE = /=[^&;]*/g

export function hostOf(authority: string): string {
  const colon = portColon(authority)
  return colon < 0 ? authority : authority.slice(0, colon)
}

export function portOf(authority: string): string {
  const colon = portColon(authority)
  return colon < 0 ? '' : authority.slice(colon + 1)
}

// The colon before the port, not one within the brackets of an IPv6 address.
function portColon(authority: string): number {
  const colon = authority.lastIndexOf(':')
  return colon > authority.lastIndexOf(']') ? colon : -1
}
