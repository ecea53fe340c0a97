// What the schema walker and the generated documentation need to know of a zod schema, worked out once.
//
// A Shape is a zod schema with its wrappers (optional, default, pipe, lazy) taken off: kind, keys by
// lower-case name, element, and metadata. Shapes are kept for the life of the process. Hot: no.

// oxlint-disable no-underscore-dangle -- `_zod` is the interface that zod documents for libraries
import { z } from 'zod'

export type Status = 'works' | 'partly' | 'not yet'

// What `.meta()` of a schema may carry; an outer wrapper's word wins over an inner one's.
export interface KeyMeta {
  status?: Status
  note?: string
  allowEmpty?: boolean // `true` and `{}` both mean: enabled with its defaults
  hint?: string // how a valid value looks: 'a duration such as 10s'
  secret?: boolean // the value never appears in a message
  extension?: boolean // Sluice's own, unknown to Traefik
}

export type ShapeKind =
  | 'object'
  | 'record'
  | 'array'
  | 'string'
  | 'number'
  | 'boolean'
  | 'enum'
  | 'union'
  | 'any'

export interface Shape {
  kind: ShapeKind
  meta: KeyMeta
  keys: Map<string, { name: string; shape: Shape }> | null // objects: by lower-case name
  names: readonly string[] // objects: known keys; enums: known values
  open: boolean // objects: unknown keys are allowed
  element: Shape | null // records and arrays; of an open object: its unknown keys
  options: readonly Shape[] // unions
  default: unknown // undefined when there is none
}

const known = new WeakMap<z.core.$ZodType, Shape>()

export function shapeOf(schema: z.core.$ZodType): Shape {
  const before = known.get(schema)
  if (before !== undefined) return before
  const shape: Shape = {
    kind: 'any',
    meta: {},
    keys: null,
    names: [],
    open: false,
    element: null,
    options: [],
    default: undefined,
  }
  known.set(schema, shape) // before filling: a schema may contain itself
  fillShape(shape, schema)
  return shape
}

function fillShape(shape: Shape, schema: z.core.$ZodType): void {
  let inner = schema
  for (let next: z.core.$ZodType | null = schema; next !== null; next = unwrap(next)) {
    inner = next
    shape.meta = { ...(z.globalRegistry.get(next) as KeyMeta | undefined), ...shape.meta }
    const def = (next as z.core.$ZodTypes)._zod.def
    const given = def.type === 'default' || def.type === 'prefault' ? def.defaultValue : undefined
    if (shape.default === undefined) shape.default = given
  }
  fillKind(shape, (inner as z.core.$ZodTypes)._zod.def)
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType | null {
  const def = (schema as z.core.$ZodTypes)._zod.def
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'nonoptional':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'catch':
      return def.innerType
    case 'pipe':
      return def.in._zod.def.type === 'transform' ? def.out : def.in
    case 'lazy':
      return (schema as z.core.$ZodLazy)._zod.innerType // kept by zod; the getter builds anew
    default:
      return null
  }
}

function fillKind(shape: Shape, def: z.core.$ZodTypes['_zod']['def']): void {
  switch (def.type) {
    case 'object':
      fillObject(shape, def)
      return
    case 'record':
      shape.kind = 'record'
      shape.element = shapeOf(def.valueType)
      return
    case 'array':
      shape.kind = 'array'
      shape.element = shapeOf(def.element)
      return
    case 'enum':
      shape.kind = 'enum'
      shape.names = Object.values(def.entries).map(String)
      return
    case 'literal':
      shape.kind = 'enum'
      shape.names = def.values.map(String)
      return
    case 'union':
      shape.kind = 'union'
      shape.options = def.options.map(shapeOf)
      return
    case 'string':
    case 'number':
    case 'boolean':
      shape.kind = def.type
      return
    default:
      shape.kind = 'any'
  }
}

function fillObject(shape: Shape, def: z.core.$ZodObjectDef): void {
  shape.kind = 'object'
  shape.open = def.catchall !== undefined && def.catchall._zod.def.type !== 'never'
  if (shape.open) shape.element = shapeOf(def.catchall!)
  shape.names = Object.keys(def.shape)
  shape.keys = new Map()
  for (const [name, child] of Object.entries(def.shape)) {
    shape.keys.set(name.toLowerCase(), { name, shape: shapeOf(child) })
  }
}
