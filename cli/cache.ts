// cli/cache.ts: `sluice cache [purge KIND VALUE]`: shows what the caches of the running gateway hold, or purges them.

import type { CacheRow } from '../admin/state.ts'
import { askApi, failedAnswer, findApi } from './api-client.ts'
import type { CommandArguments } from './arguments.ts'
import type { CommandIo } from './io.ts'
import { tableText } from './table.ts'

export const cacheOptions = { switches: [], values: [] }

const kinds = ['url', 'prefix', 'tag']
const MEBIBYTE = 1_048_576

export async function runCache(given: CommandArguments, io: CommandIo): Promise<number> {
  const [action = '', kind = '', value = ''] = given.positions
  const query = action === '' ? '' : queryOf(action, kind, value)
  if (query === null) {
    io.err('sluice cache: expected nothing, `purge all`, or `purge url|prefix|tag VALUE`\n')
    return 2
  }
  const base = findApi('cache', '/http/cache', given, io)
  if (base === null) return 1
  return query === '' ? list(base, io) : purge(`${base}?${query}`, io)
}

// null: not a wish.
function queryOf(action: string, kind: string, value: string): string | null {
  if (action !== 'purge') return null
  if (kind === 'all') return value === '' ? 'all=true' : null
  return kinds.includes(kind) && value !== '' ? `${kind}=${encodeURIComponent(value)}` : null
}

async function list(url: string, io: CommandIo): Promise<number> {
  const answer = await askApi('GET', url)
  if (answer.status !== 200) return failedAnswer('cache', answer, io)
  io.out(tableText((answer.value as CacheRow[]).map(rowOf)))
  return 0
}

function rowOf({ name, bytes, bytesMax, entries, redis }: CacheRow): string[] {
  const size = (count: number): string => (count / MEBIBYTE).toFixed(1)
  const tier = redis === '' ? '' : `Redis ${redis}`
  return [name, `${entries} responses`, `${size(bytes)} of ${size(bytesMax)} MiB`, tier]
}

async function purge(url: string, io: CommandIo): Promise<number> {
  const answer = await askApi('DELETE', url)
  if (answer.status !== 200) return failedAnswer('cache', answer, io)
  const { purged, late = [] } = answer.value as { purged: number; late?: readonly string[] }
  io.out(`${purged} responses purged\n`)
  if (late.length > 0)
    io.out(`Redis does not answer: other gateways with ${late.join(', ')} are told later\n`)
  return 0
}
