// workers/slices.ts: cuts the way to a generation into pieces that a worker works off one per turn.
//
// What is set comes before what uses it (transports, middlewares, services, then routers), and what is
// removed comes last, so that no piece names something that is not there.

import type { Changes, Delta } from '../config/generation.ts'
import type { Slice } from './messages.ts'

const OBJECTS_PER_SLICE = 30 // at the most 0.5 ms of work in a worker, the reading of the message included

export function slicesOf(delta: Delta): Slice[] {
  const slices: Slice[] = []
  for (const set of piecesOf(delta.transports.set))
    slices.push(slice(delta, { transports: only(set) }))
  for (const set of piecesOf(delta.middlewares.set))
    slices.push(slice(delta, { middlewares: only(set) }))
  for (const set of piecesOf(delta.services.set)) slices.push(slice(delta, { services: only(set) }))
  for (const set of piecesOf(delta.routers.set)) slices.push(slice(delta, { routers: only(set) }))
  for (const remove of piecesOf(delta.routers.remove))
    slices.push(slice(delta, { routers: { set: [], remove } }))
  const { services, middlewares, transports } = delta
  const removals = {
    services: { set: [], remove: services.remove },
    middlewares: { set: [], remove: middlewares.remove },
    transports: { set: [], remove: transports.remove },
  }
  slices.push({ ...slice(delta, removals), last: true })
  return slices
}

function piecesOf<Item>(items: readonly Item[]): Item[][] {
  const pieces: Item[][] = []
  for (let at = 0; at < items.length; at += OBJECTS_PER_SLICE) {
    pieces.push(items.slice(at, at + OBJECTS_PER_SLICE))
  }
  return pieces
}

function only<Plan>(set: readonly Plan[]): Changes<Plan> {
  return { set, remove: [] }
}

const nothing = { set: [], remove: [] }

function slice(delta: Delta, parts: Partial<Slice>): Slice {
  const { number, base } = delta
  const empty = { routers: nothing, services: nothing, middlewares: nothing, transports: nothing }
  return { type: 'slice', number, base, ...empty, ...parts, last: false }
}
