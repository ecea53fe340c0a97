// core/balance/maglev.ts: consistent hashing by a table (Eisenbud and others, "Maglev", NSDI 2016, section 3.4): one look-up
// per request, and a changed list of servers moves few clients.
//
// Owner:  a service of a generation; the table is a function of names and weights alone, so all workers, and all
//         gateways with the same file, send a client to the same server.
// Hot:    yes. The table is built when the generation is.
//
// Each server has a permutation of all places and takes its next free one in turn, until it has its share. A server that is
// down keeps its places: a client that meets it walks on through the table in steps of its own hash, so its clients
// spread over all others and nobody else moves.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Usable } from './contract.ts'
import { Fnv64, mixed } from './fnv.ts'
import type { HashKey } from './hash-key.ts'

// Primes, so that every step visits every place. The paper asks for 100 places a server, for shares within 1 %.
const SIZES = [251, 1021, 4093, 16_381, 65_537]
const PLACES_PER_SERVER = 100
const STEPS_MAX = 64 // after that most servers are down, and any that is up will do

export const MAGLEV_SERVERS_MAX = 6_553 // ten places each in the largest table

export class MaglevBalancer implements Balancer {
  readonly kind = 'maglev'
  readonly table: Uint16Array // position of a server, by place
  private readonly indexes: readonly number[] // of the servers with a weight
  private readonly states: readonly Usable[] // by the same position as indexes
  private readonly key: HashKey

  constructor(
    indexes: readonly number[],
    states: readonly Usable[],
    names: readonly Uint8Array[],
    weights: readonly number[],
    key: HashKey,
  ) {
    this.indexes = indexes
    this.states = states
    this.key = key
    this.table = tableOf(names, weights)
  }

  pick(exchange: Exchange, tried: number): number {
    const { table, key } = this
    key.read(exchange)
    const size = table.length
    let place = mixed(key.hash.low ^ key.hash.high) % size
    const first = table[place]!
    if (this.isUsable(first, tried)) return this.indexes[first]!
    const step = 1 + (mixed(key.hash.high + 0x9e3779b9) % (size - 1))
    for (let i = 0; i < STEPS_MAX; i++) {
      place = (place + step) % size
      const position = table[place]!
      if (this.isUsable(position, tried)) return this.indexes[position]!
    }
    return this.anyFrom(first, tried)
  }

  private anyFrom(first: number, tried: number): number {
    const count = this.indexes.length
    for (let i = 1; i <= count; i++) {
      const position = (first + i) % count
      if (this.isUsable(position, tried)) return this.indexes[position]!
    }
    return -1
  }

  private isUsable(position: number, tried: number): boolean {
    return this.indexes[position] !== tried && this.states[position]!.up
  }
}

function tableOf(names: readonly Uint8Array[], weights: readonly number[]): Uint16Array {
  const wanted = names.length * PLACES_PER_SERVER
  const size = SIZES.find((prime) => prime >= wanted) ?? SIZES.at(-1)!
  const hashes = names.map((name) => hashesOf(name, size))
  const places = hashes.map(({ offset }) => offset)
  const left = quotasOf(weights, size)
  const table = new Uint16Array(size).fill(NOBODY)
  let hungry = names.map((_, server) => server)
  while (hungry.length > 0) {
    hungry = hungry.filter((server) => left[server]! > 0)
    for (const server of hungry) {
      const { skip } = hashes[server]!
      let place = places[server]!
      while (table[place] !== NOBODY) place = (place + skip) % size
      table[place] = server
      places[server] = (place + skip) % size
      left[server] = left[server]! - 1
    }
  }
  return table
}

// How many places each has, `size` in all: what rounding down leaves goes to the first ones that lost most.
function quotasOf(weights: readonly number[], size: number): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const exact = weights.map((weight) => (weight / sum) * size)
  const quotas = exact.map(Math.floor)
  const short = size - quotas.reduce((total, quota) => total + quota, 0)
  const byLoss = exact.map((_, i) => i).sort((a, b) => (exact[b]! % 1) - (exact[a]! % 1) || a - b)
  for (const server of byLoss.slice(0, short)) quotas[server] = quotas[server]! + 1
  return quotas
}

const NOBODY = 0xffff

function hashesOf(name: Uint8Array, size: number): { offset: number; skip: number } {
  const hash = new Fnv64()
  hash.addBytes(name)
  const offset = mixed(hash.low ^ hash.high) % size
  const skip = 1 + (mixed(hash.high + 0x9e3779b9) % (size - 1))
  return { offset, skip }
}
