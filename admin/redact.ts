// admin/redact.ts: configuration without its secrets, for everybody who may look at the API. Hot: no.

import { withoutCredentials } from '../config/compile/redact.ts'
import { shapeOf, type Shape } from '../config/shape.ts'
import { staticSchema } from '../config/static.ts'

export const REDACTED = 'xxxx' // Traefik's word for it

// The install configuration as it is used, with each secret that was set replaced.
export function staticWithoutSecrets(config: unknown): unknown {
  return withoutSecrets(config, shapeOf(staticSchema))
}

export function withoutSecrets(value: unknown, shape: Shape | null): unknown {
  if (shape?.meta.secret === true) return isUnset(value) ? value : REDACTED
  if (typeof value === 'string') return withoutCredentials(value)
  if (Array.isArray(value)) {
    return value.map((item) => withoutSecrets(item, shape?.element ?? null))
  }
  if (typeof value !== 'object' || value === null) return value
  const result: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    result[key] = looksSecret(key, item) ? REDACTED : withoutSecrets(item, shapeOfKey(shape, key))
  }
  return result
}

function shapeOfKey(shape: Shape | null, key: string): Shape | null {
  if (shape === null) return null
  const own = shape.keys?.get(key.toLowerCase())?.shape
  if (own !== undefined) return own
  if (shape.kind === 'record') return shape.element
  for (const option of shape.options) {
    const found = shapeOfKey(option, key)
    if (found !== null) return found
  }
  return null
}

// Maps whose keys users choose (headers of an exporter, labels) have no schema for what is secret.
const SECRET_NAME = /passw|secret|token|authorization|api-?key|credential/i

function looksSecret(key: string, value: unknown): boolean {
  return typeof value === 'string' && value !== '' && SECRET_NAME.test(key)
}

function isUnset(value: unknown): boolean {
  return value === null || value === undefined || value === ''
}
