// core/rate/claim.ts: a claim of the JWT that a request brings (RFC 7519), read and NOT verified: nobody has looked at the
// signature here, and anyone may write a claim. Whoever wants a limit by it to bind verifies the JWT before.
//
// Hot: no; only routers whose limits name a claim. Bytes of a client: whatever is not exactly a signed JWT in compact form
// (RFC 7515, section 7.1) with this claim as a text, a number or a boolean is as good as none, and costs at the most a
// parse of JWT_LENGTH_MAX characters.

export const JWT_LENGTH_MAX = 8192
export const CLAIM_DEPTH_MAX = 8

const SIGNED = /^[\w-]+\.([\w-]+)\.[\w-]*$/ // base64url without padding, as it is never padded there
const BEARER = /^bearer +/i
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// 'realm.tenant' -> the claim `tenant` within `realm`; '\.' is a dot in a name. null for what is no such path.
export function parseClaimPath(text: string): readonly string[] | null {
  const names = text.split(/(?<!\\)\./).map((name) => name.replaceAll('\\.', '.'))
  if (names.length > CLAIM_DEPTH_MAX || names.includes('')) return null
  return names
}

// `line`: the value of the header. null: none.
export function claimOf(line: string, path: readonly string[]): string | null {
  if (line.length > JWT_LENGTH_MAX) return null
  const encoded = SIGNED.exec(line.replace(BEARER, ''))?.[1]
  let found: unknown = encoded === undefined ? null : payloadOf(encoded)
  for (const name of path) {
    // Its own: a payload has no "constructor" unless it says so.
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return null
    if (!Object.hasOwn(found, name)) return null
    found = (found as Record<string, unknown>)[name]
  }
  return textOf(found)
}

function payloadOf(encoded: string): unknown {
  try {
    const bytes = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
    return JSON.parse(decoder.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))))
  } catch {
    return null
  }
}

// A source has its parts on lines of their own, and is sent to Redis as UTF-8: what does not survive that is no claim.
function textOf(value: unknown): string | null {
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : null
  if (typeof value !== 'string' || value === '') return null
  // oxlint-disable-next-line no-control-regex -- these are what must not get into a source
  return value.isWellFormed() && !/[\0-\x1f\x7f]/.test(value) ? value : null
}
