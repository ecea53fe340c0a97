// core/auth/digest.ts: what a request says in "Authorization: Digest ..." (RFC 7616, with MD5 as RFC 2617), read strictly.
//
// Cold enough: once per request that brings such a header. What is malformed is no credentials at all.

export interface DigestFields {
  readonly username: string
  readonly realm: string
  readonly nonce: string
  readonly uri: string
  readonly response: string // 32 hexadecimal digits, lower case
  readonly cnonce: string
  readonly nc: string // 8 hexadecimal digits, as they were sent: they are part of what is hashed
}

const HEADER_MAX = 8192
const PARAMETERS_MAX = 20
// name = token or "quoted"; quoted text may hold \" and \\.
const parameter =
  /[ \t]*([A-Za-z]{1,20})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",;=]+))[ \t]*(?:,|$)/y

// null when it is malformed, of another algorithm, or without qop=auth.
export function readDigestHeader(header: string): DigestFields | null {
  if (header.length > HEADER_MAX || header.slice(0, 7).toLowerCase() !== 'digest ') return null
  const given = parametersOf(header.slice(7))
  if (given === null) return null
  const text = (name: string): string => given.get(name) ?? ''
  const fields = {
    username: text('username'),
    realm: text('realm'),
    nonce: text('nonce'),
    uri: text('uri'),
    response: text('response').toLowerCase(),
    cnonce: text('cnonce'),
    nc: text('nc'),
  }
  const algorithm = given.get('algorithm') ?? 'MD5'
  if (algorithm.toUpperCase() !== 'MD5' || text('qop').toLowerCase() !== 'auth') return null
  if (!/^[0-9a-f]{32}$/.test(fields.response) || !/^[0-9a-fA-F]{8}$/.test(fields.nc)) return null
  return fields.username === '' || fields.cnonce === '' ? null : fields
}

// null for anything that is no list of parameters, and for one that names a parameter twice.
function parametersOf(list: string): Map<string, string> | null {
  const found = new Map<string, string>()
  parameter.lastIndex = 0
  while (parameter.lastIndex < list.length) {
    const match = parameter.exec(list)
    if (match === null || found.size >= PARAMETERS_MAX) return null
    const name = match[1]!.toLowerCase()
    if (found.has(name)) return null
    found.set(name, match[3] ?? match[2]!.replace(/\\(.)/g, '$1'))
  }
  return found
}
