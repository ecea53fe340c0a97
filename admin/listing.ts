// admin/listing.ts: one page of a list: filtered, sorted and cut as the query asks.
//
//   ?search= &status= &serviceName= &middlewareName= &sortBy= &direction= &page= &per_page=
//
// The answer has X-Next-Page: the number of the next page, or 1 when there is none (Traefik's way). Hot: no.

import type { Kind, Shown } from './representation.ts'
import { serversOf } from './representation.ts'

const PER_PAGE_DEFAULT = 100

export interface Page {
  readonly items: readonly Shown[]
  readonly nextPage: number
}

// null: the page that was asked for does not exist or is no number.
export function pageOf(all: readonly Shown[], query: URLSearchParams): Page | null {
  const page = countIn(query, 'page', 1)
  const perPage = countIn(query, 'per_page', PER_PAGE_DEFAULT)
  if (page === null || perPage === null) return null
  const start = (page - 1) * perPage
  if (start !== 0 && start >= all.length) return null
  const end = start + perPage
  return { items: all.slice(start, end), nextPage: end < all.length ? page + 1 : 1 }
}

function countIn(query: URLSearchParams, name: string, fallback: number): number | null {
  const text = query.get(name)
  if (text === null || text === '') return fallback
  if (!/^\d{1,9}$/.test(text)) return null
  const count = Number(text)
  return count > 0 ? count : null
}

export function isWanted(kind: Kind, item: Shown, query: URLSearchParams): boolean {
  const status = query.get('status') ?? ''
  if (status !== '' && textOf(item, 'status').toLowerCase() !== status.toLowerCase()) return false
  if (!holdsText(kind, item, (query.get('search') ?? '').toLowerCase())) return false
  if (kind !== 'routers') return true
  const service = query.get('serviceName') ?? ''
  if (service !== '' && !isSame(textOf(item, 'service'), service, item)) return false
  const middleware = query.get('middlewareName') ?? ''
  if (middleware === '') return true
  return listOf(item, 'middlewares').some((name) => isSame(name, middleware, item))
}

function holdsText(kind: Kind, item: Shown, wanted: string): boolean {
  if (wanted === '') return true
  const keys = kind === 'routers' ? ['name', 'rule', 'service'] : ['name', 'type']
  return keys.some((key) => textOf(item, key).toLowerCase().includes(wanted))
}

// A name without provider means the object's own.
function isSame(written: string, wanted: string, item: Shown): boolean {
  if (written === '') return false
  const full = written.includes('@') ? written : `${written}@${textOf(item, 'provider')}`
  return full === (wanted.includes('@') ? wanted : `${wanted}@${textOf(item, 'provider')}`)
}

const sortable: Readonly<Record<Kind, readonly string[]>> = {
  routers: ['name', 'provider', 'priority', 'status', 'rule', 'service', 'entryPoints'],
  services: ['name', 'provider', 'status', 'type', 'servers'],
  middlewares: ['name', 'provider', 'status', 'type'],
}

// By name when the query names no known key; equal ones always by name, so that pages are stable.
export function sortItems(kind: Kind, items: Shown[], query: URLSearchParams): Shown[] {
  const asked = query.get('sortBy') ?? 'name'
  const key = sortable[kind].includes(asked) ? asked : 'name'
  const sign = query.get('direction') === 'desc' ? -1 : 1
  return items.sort((a, b) => {
    const order = compare(sortValue(a, key), sortValue(b, key))
    return sign * (order === 0 ? compare(textOf(a, 'name'), textOf(b, 'name')) : order)
  })
}

function sortValue(item: Shown, key: string): string | number {
  if (key === 'servers') return serversOf(item).length
  if (key === 'entryPoints') return listOf(item, 'using').join()
  const value = item[key]
  return typeof value === 'number' ? value : textOf(item, key)
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function textOf(item: Shown, key: string): string {
  const value = item[key]
  return typeof value === 'string' ? value : ''
}

function listOf(item: Shown, key: string): string[] {
  const value = item[key]
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}
