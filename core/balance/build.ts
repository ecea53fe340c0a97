// core/balance/build.ts: chooses the balancer for a strategy and a list of servers.
//
// Hot: no. Called when a generation is adopted.

import { EmptyBalancer, SingleBalancer } from './single.ts'
import { P2cBalancer } from './p2c.ts'
import { RotationBalancer } from './rotation.ts'
import { WEIGHT_MAX, WrrBalancer } from './wrr.ts'
import type { Balancer, Loaded, Usable } from './contract.ts'

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
