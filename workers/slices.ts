// workers/slices.ts: cuts the way to a generation into pieces that a worker works off one per turn.
//
// What is set comes before what uses it (the order of config/generation.ts), and what is removed comes after
// all that is set, users first, so that no piece names something that is not there. Not hot.

import { families, type Delta, type Family } from '../config/generation.ts'
import type { Slice } from './messages.ts'

const OBJECTS_PER_SLICE = 30 // at the most 0.5 ms of work in a worker, the reading of the message included

type Part = Pick<Slice, 'family' | 'set' | 'remove'>

export function slicesOf(delta: Delta): Slice[] {
  const parts: Part[] = []
  for (const family of families) {
    for (const set of piecesOf<unknown>(delta.changes[family].set)) {
      parts.push({ family, set, remove: [] } as unknown as Part)
    }
  }
  for (const family of families.toReversed()) {
    for (const remove of piecesOf(delta.changes[family].remove)) parts.push(removal(family, remove))
  }
  if (parts.length === 0) parts.push(removal('routers', []))
  const { number, base } = delta
  return parts.map(
    (part, at) =>
      ({ type: 'slice', number, base, ...part, last: at === parts.length - 1 }) as Slice,
  )
}

function removal(family: Family, remove: readonly string[]): Part {
  return { family, set: [], remove } as Part
}

function piecesOf<Item>(items: readonly Item[]): Item[][] {
  const pieces: Item[][] = []
  for (let at = 0; at < items.length; at += OBJECTS_PER_SLICE) {
    pieces.push(items.slice(at, at + OBJECTS_PER_SLICE))
  }
  return pieces
}
