// admin/caches.ts: what the caches hold, and purging them (commands.ts says who may). Hot: no.

import type { PurgeWish } from '../core/cache/contract.ts'
import { Exchange } from '../core/exchange.ts'
import { RequestParser } from '../core/h1/request.ts'
import { urlOf } from '../core/cache/key.ts'
import { HEADER_COUNT_MAX, HEAD_BYTES_MAX } from '../core/limits.ts'
import { defaultPolicy, normalise } from '../core/normalise.ts'
import { errorReply, jsonReply, type Reply } from './reply.ts'
import type { Shown } from './representation.ts'
import type { AdminState } from './state.ts'

const VALUE_MAX = 8192 // of a query parameter

export function caches(state: AdminState): Shown[] {
  return state.caches().map((row) => ({ ...row }))
}

export async function purgeCaches(state: AdminState, query: URLSearchParams): Promise<Reply> {
  const wish = wishOf(query)
  if (typeof wish === 'string') return errorReply(400, wish)
  const { count, late } = await state.purge(wish)
  return jsonReply(late.length === 0 ? { purged: count } : { purged: count, late })
}

// A sentence when it is not one of the four, and only one.
function wishOf(query: URLSearchParams): PurgeWish | string {
  const value = (name: string): string => query.get(name) ?? ''
  const wish = {
    store: value('middleware'),
    url: value('url'),
    tag: Buffer.from(value('tag')).toString('latin1'), // as responses have them (core/cache/tags.ts)
    prefix: value('prefix'),
    all: value('all') === 'true',
  }
  const named = [wish.url, wish.tag, wish.prefix].filter((text) => text !== '')
  if (named.length + (wish.all ? 1 : 0) !== 1)
    return 'one of url, tag, prefix or all=true must be given, and only one'
  if (named.some((text) => text.length > VALUE_MAX)) return 'the value is too long'
  if (wish.url === '') return wish
  const url = canonical(wish.url)
  return url === ''
    ? 'url: must be a whole one, such as https://shop.example/path?query'
    : { ...wish, url }
}

// As a request for it would be stored; '' for what no request can ask for.
function canonical(url: string): string {
  const match = /^(https?):\/\/([^/?#]+)([^#]*)$/i.exec(url)
  if (match === null) return ''
  const [, scheme = '', authority = '', rest = ''] = match
  const target = rest.startsWith('/') ? rest : '/' + rest
  const exchange = new Exchange()
  exchange.reset()
  exchange.secure = scheme.toLowerCase() === 'https'
  const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`, 'latin1')
  const end = new RequestParser().parse(exchange, bytes, 0, bytes.length, limits)
  if (end !== bytes.length || normalise(exchange, defaultPolicy) !== 0) return ''
  return urlOf(exchange)
}

const limits = { headBytesMax: HEAD_BYTES_MAX, headerCountMax: HEADER_COUNT_MAX }
