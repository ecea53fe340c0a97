// Where the nodes of a parsed file stand in its text: a tree of offsets beside the tree of values.
//
// Built only when somebody asks for a position, so a file without problems never pays for it. Hot: no.

import type { Path } from './problem.ts'

export interface Place {
  offset: number // of the key for a member of a map, of the value for an item of a list
  keys: Map<string, Place> | null // null unless the node is a map
  items: Place[] | null // null unless the node is a list
}

export interface Position {
  line: number
  column: number
}

// The place of the deepest node on the path that exists: a missing key is reported at its parent.
export function findPlace(root: Place, path: Path): Place {
  let place = root
  for (const step of path) {
    const child: Place | undefined =
      typeof step === 'number' ? place.items?.[step] : findKey(place, step)
    if (child === undefined) break
    place = child
  }
  return place
}

// Keys are matched as Traefik does: the exact spelling first, then without regard to case.
function findKey(place: Place, key: string): Place | undefined {
  if (place.keys === null) return undefined
  const exact = place.keys.get(key)
  if (exact !== undefined) return exact
  const wanted = key.toLowerCase()
  for (const [name, child] of place.keys) if (name.toLowerCase() === wanted) return child
  return undefined
}

export function lineStartsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

export function positionAt(lineStarts: readonly number[], offset: number): Position {
  let low = 0
  let high = lineStarts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (lineStarts[middle]! <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - lineStarts[low]! + 1 }
}
