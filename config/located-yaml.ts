// YAML (and JSON, which is YAML in flow style) into plain values, and into places when asked.
//
// Values and places come from the same event stream of js-yaml, so that they can't disagree; the `yaml`
// package gives positions too, but took 1.2 s on a 1.2 MB file of 10,000 routers against 0.06 s. Hot: no.

import {
  CORE_SCHEMA,
  EVENT_ID,
  YAMLException,
  constructFromEvents,
  getScalarValue,
  mergeTag,
  parseEvents,
  type Event,
} from 'js-yaml'
import { lineStartsOf, type Place } from './position.ts'
import { SyntaxFault } from './syntax-fault.ts'

export const depthMax = 64 // Traefik's deepest key has 9 steps
const aliasesMax = 100_000
const mergeKeysMax = 1_000_000 // 10,000 routers that each merge a block of defaults need 50,000
const schema = CORE_SCHEMA.withTags(mergeTag) // anchors with `<<` are common in Traefik's files

export function parseYaml(text: string): unknown {
  try {
    const events = parseEvents(text, { maxDepth: depthMax })
    const documents = constructFromEvents(events, {
      source: text,
      schema,
      maxAliases: aliasesMax,
      maxTotalMergeKeys: mergeKeysMax,
    })
    if (documents.length > 1) throw new SyntaxFault('one document is expected, found several', 0)
    return documents[0]
  } catch (error) {
    throw asFault(error, text)
  }
}

function asFault(error: unknown, text: string): SyntaxFault {
  if (error instanceof SyntaxFault) return error
  if (!(error instanceof YAMLException)) return new SyntaxFault('cannot be read as YAML', 0)
  if (error.mark === undefined) return new SyntaxFault(error.reason, 0)
  const line = lineStartsOf(text)[error.mark.line] ?? 0
  return new SyntaxFault(error.reason, line + error.mark.column)
}

interface Walk {
  text: string
  events: readonly Event[]
  at: number
  anchors: Map<string, Place>
}

export function placesOfYaml(text: string): Place {
  const walk: Walk = {
    text,
    events: parseEvents(text, { maxDepth: depthMax }),
    at: 1, // event 0 opens the document
    anchors: new Map(),
  }
  if (walk.events.length < 2) return { offset: 0, keys: null, items: null }
  return readNode(walk)
}

// Recursion is bounded: the parser has refused what is nested deeper than depthMax.
function readNode(walk: Walk): Place {
  const event = walk.events[walk.at++]!
  if (event.type === EVENT_ID.ALIAS) {
    const target = walk.anchors.get(walk.text.slice(event.anchorStart, event.anchorEnd))
    return { offset: event.anchorStart, keys: target?.keys ?? null, items: target?.items ?? null }
  }
  if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) {
    return { offset: 0, keys: null, items: null }
  }
  const offset = event.type === EVENT_ID.SCALAR ? scalarOffset(event) : event.start
  const place: Place = { offset, keys: null, items: null }
  if (event.anchorStart !== -1) {
    walk.anchors.set(walk.text.slice(event.anchorStart, event.anchorEnd), place)
  }
  if (event.type === EVENT_ID.MAPPING) place.keys = readKeys(walk)
  if (event.type === EVENT_ID.SEQUENCE) place.items = readItems(walk)
  return place
}

// The offsets of a quoted scalar begin behind its quote; people count from the quote. An empty scalar has
// no offset of its own (-1), only those of its anchor or tag, which begin behind their mark.
function scalarOffset(event: Extract<Event, { type: typeof EVENT_ID.SCALAR }>): number {
  if (event.valueStart === -1) return Math.max(event.anchorStart, event.tagStart, 0)
  const quoted = event.style === 2 || event.style === 3
  return quoted ? event.valueStart - 1 : event.valueStart
}

function readKeys(walk: Walk): Map<string, Place> {
  const keys = new Map<string, Place>()
  const merged: Place[] = []
  while (walk.events[walk.at]!.type !== EVENT_ID.POP) {
    const event = walk.events[walk.at]!
    const offset = readNode(walk).offset
    const value = readNode(walk)
    const name = event.type === EVENT_ID.SCALAR ? getScalarValue(walk.text, event) : ''
    if (name === '<<') merged.push(...(value.items ?? [value]))
    else keys.set(name, { offset, keys: value.keys, items: value.items })
  }
  walk.at++
  for (const source of merged) {
    for (const [name, place] of source.keys ?? []) if (!keys.has(name)) keys.set(name, place)
  }
  return keys
}

function readItems(walk: Walk): Place[] {
  const items: Place[] = []
  while (walk.events[walk.at]!.type !== EVENT_ID.POP) items.push(readNode(walk))
  walk.at++
  return items
}
