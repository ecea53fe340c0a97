// core/balance/build.ts: chooses the balancer for a strategy and a list of servers.
//
// Hot: no. Called when a generation is adopted.

import { EmptyBalancer, SingleBalancer } from './single.ts'
import type { HashKey } from './hash-key.ts'
import { HrwBalancer } from './hrw.ts'
import { LeastTimeBalancer, type Timed } from './least-time.ts'
import { MaglevBalancer } from './maglev.ts'
import { P2cBalancer } from './p2c.ts'
import { RotationBalancer } from './rotation.ts'
import { WEIGHT_MAX, WrrBalancer } from './wrr.ts'
import type { Balancer, Loaded, Usable } from './contract.ts'

export type Strategy = 'wrr' | 'p2c' | 'hrw' | 'leasttime' | 'maglev'

export interface BalancerOptions {
  readonly strategy: Strategy
  readonly weights: readonly number[]
  readonly names: readonly string[] // what is hashed: URLs of servers
  readonly key: HashKey | null // of hrw and maglev
  readonly worker: number // so that workers don't all begin with the same server
}

export function buildBalancer(states: readonly Timed[], options: BalancerOptions): Balancer {
  const { strategy, weights, worker } = options
  switch (strategy) {
    case 'wrr':
      return buildWrr(states, weights, worker)
    case 'p2c':
      return buildP2c(states, weights, worker + 1)
    case 'leasttime':
      return buildLeastTime(states, weights)
    case 'hrw':
    case 'maglev':
      return buildHashed(states, options)
  }
}

// hrw and maglev: of servers, or of services.
export function buildHashed(
  states: readonly Usable[],
  {
    strategy,
    weights,
    names,
    key,
  }: Pick<BalancerOptions, 'strategy' | 'weights' | 'names' | 'key'>,
): Balancer {
  const indexes = indexesWithWeight(weights)
  const kept = indexes.map((index) => states[index]!)
  if (indexes.length === 0) return new EmptyBalancer()
  if (indexes.length === 1) return new SingleBalancer(indexes[0]!, kept[0]!)
  const bytes = indexes.map((index) => new TextEncoder().encode(names[index]!))
  const own = indexes.map((index) => weights[index]!)
  const Hashed = strategy === 'hrw' ? HrwBalancer : MaglevBalancer
  return new Hashed(indexes, kept, bytes, own, key!)
}

export function buildLeastTime(states: readonly Timed[], weights: readonly number[]): Balancer {
  const indexes = indexesWithWeight(weights)
  const kept = indexes.map((index) => states[index]!)
  if (indexes.length === 0) return new EmptyBalancer()
  if (indexes.length === 1) return new SingleBalancer(indexes[0]!, kept[0]!)
  const own = indexes.map((index) => weights[index]!)
  return new LeastTimeBalancer(indexes, kept, own)
}

// states[i] and weights[i] belong to server i; pick() answers such an i. Servers without weight are never
// picked. `start` spreads workers: without it every worker would send its first request to server 0.
export function buildWrr(
  states: readonly Usable[],
  weights: readonly number[],
  start: number,
): Balancer {
  const indexes = indexesWithWeight(weights)
  const kept = indexes.map((index) => states[index]!)
  if (indexes.length === 0) return new EmptyBalancer()
  if (indexes.length === 1) return new SingleBalancer(indexes[0]!, kept[0]!)
  const turned = turnedBy(indexes, start)
  const chosen = turned.map((index) => states[index]!)
  const own = wholeWeights(turned.map((index) => weights[index]!))
  if (own.every((weight) => weight === own[0])) return new RotationBalancer(turned, chosen)
  return new WrrBalancer(turned, chosen, own)
}

export function buildP2c(
  states: readonly Loaded[],
  weights: readonly number[],
  seed: number,
): Balancer {
  const indexes = indexesWithWeight(weights)
  const kept = indexes.map((index) => states[index]!)
  if (indexes.length === 0) return new EmptyBalancer()
  if (indexes.length === 1) return new SingleBalancer(indexes[0]!, kept[0]!)
  return new P2cBalancer(indexes, kept, seed)
}

function indexesWithWeight(weights: readonly number[]): number[] {
  const indexes: number[] = []
  for (let i = 0; i < weights.length; i++) if (weights[i]! > 0) indexes.push(i)
  return indexes
}

function turnedBy(indexes: readonly number[], start: number): number[] {
  const from = Math.abs(Math.trunc(start)) % indexes.length
  return [...indexes.slice(from), ...indexes.slice(0, from)]
}

// Divided by their common divisor; weights that are still too large are scaled so that the largest is
// WEIGHT_MAX, which moves a share by less than one in a million.
function wholeWeights(weights: readonly number[]): number[] {
  const divisor = weights.reduce(commonDivisor)
  const smallest = weights.map((weight) => Math.max(1, Math.round(weight / divisor)))
  const largest = Math.max(...smallest)
  if (largest <= WEIGHT_MAX) return smallest
  return smallest.map((weight) => Math.max(1, Math.round((weight / largest) * WEIGHT_MAX)))
}

function commonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b]
  return a
}
