// core/cache/key.ts: the keys that responses are stored by, and URLs that a response names.
//
// A key is the router or service that has the cache, and the URL: routers share a URL when their rules look at other
// things, and lead to different servers. The URL is what the middleware sees: host and path normalised, after middlewares before it.
// Hot: keyOf runs once per request of a route with a cache.

import type { Exchange } from '../exchange.ts'
import { collapseSegments, normaliseEscapes } from '../normalise-path.ts'

export const URL_MAX = 8192 // characters; a longer one is not stored

export function urlOf(exchange: Exchange): string {
  const { path, hasQuery } = exchange
  const place = originOf(exchange) + path
  return hasQuery ? place + '?' + exchange.query : place
}

// 'https://shop.example:8443', without the port that goes without saying.
export function originOf(exchange: Exchange): string {
  const { secure, host, authority } = exchange
  const scheme = secure ? 'https://' : 'http://'
  const port = portOf(authority)
  return port === '' || port === (secure ? '443' : '80')
    ? scheme + host
    : scheme + host + ':' + port
}

function portOf(authority: string): string {
  const colon = authority.lastIndexOf(':')
  return colon < 0 || authority.charCodeAt(authority.length - 1) === 93
    ? ''
    : authority.slice(colon + 1)
}

// The URL that Location or Content-Location of a response for `url` names, if it is of the same origin: nobody may
// invalidate what is another's (RFC 9111, section 4.4). '' otherwise.
export function sameOrigin(url: string, reference: string): string {
  const fragment = reference.indexOf('#')
  const target = fragment < 0 ? reference : reference.slice(0, fragment)
  if (target === '' || target.length > URL_MAX) return ''
  const slash = url.indexOf('/', url.indexOf('//') + 2)
  const origin = url.slice(0, slash)
  if (target.startsWith('//'))
    return ofOrigin(origin, origin.slice(0, origin.indexOf('/')) + target)
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return ofOrigin(origin, target)
  if (target.startsWith('/')) return withPath(origin, target)
  const mark = url.indexOf('?')
  const path = url.slice(slash, mark < 0 ? url.length : mark)
  if (target.startsWith('?')) return withPath(origin, path + target)
  return withPath(origin, path.slice(0, path.lastIndexOf('/') + 1) + target)
}

function ofOrigin(origin: string, absolute: string): string {
  const slash = absolute.indexOf('/', absolute.indexOf('//') + 2)
  const named = absolute.slice(0, slash < 0 ? absolute.length : slash).toLowerCase()
  const plain = named.replace(named.startsWith('https:') ? /:443$/ : /:80$/, '')
  if (plain !== origin) return ''
  return withPath(origin, slash < 0 ? '/' : absolute.slice(slash))
}

function withPath(origin: string, target: string): string {
  const mark = target.indexOf('?')
  const path = normaliseEscapes(mark < 0 ? target : target.slice(0, mark))
  if (path === null) return ''
  const place = origin + collapseSegments(path)
  return mark < 0 ? place : place + target.slice(mark)
}

// 32 bits of a text, for tables in shared memory.
export function hashOf(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  return (h ^ (h >>> 13)) >>> 0
}
