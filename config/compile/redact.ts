// config/compile/redact.ts: takes secrets out of what users wrote, before the API shows it. Hot: no.

// Keys whose values are secret wherever they stand; free-form plugin settings are secret as a whole.
const secretKeys = new Set([
  'users',
  'password',
  'key',
  'keyfile',
  'certificates',
  'plugin',
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
])
// Maps of headers, whose names users choose. Traefik shows all their values.
const headerMaps = new Set([
  'customrequestheaders',
  'customresponseheaders',
  'sslproxyheaders',
  'headers',
  'set', // of requestHeaderModifier and responseHeaderModifier, as `add`
  'add',
])
// 'X-Api-Key', 'apikey', 'x_auth_tokens', 'xGatewaySecret', but not 'X-Author' or 'X-Monkey'.
const secretPart =
  /^(?:api|auth|access|session)?(?:authorization|cookie|token|key|secret|password|passwd|auth|credential)s?$/
const shown = 'xxxx'

export function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted)
  if (typeof value === 'string') return withoutCredentials(value)
  if (typeof value !== 'object' || value === null) return value
  const result: Record<string, unknown> = {}
  for (const [key, child] of Object.entries(value)) {
    const name = key.toLowerCase()
    if (secretKeys.has(name)) result[key] = hidden(child)
    else result[key] = headerMaps.has(name) ? withoutSecretHeaders(child) : redacted(child)
  }
  return withoutSecretParameter(result)
}

// { name: 'api_key', value: 'hush' }: a parameter that a queryParam adds.
function withoutSecretParameter(object: Record<string, unknown>): Record<string, unknown> {
  const keyOf = (wanted: string) => Object.keys(object).find((key) => key.toLowerCase() === wanted)
  const name = object[keyOf('name') ?? '']
  const value = keyOf('value')
  if (typeof name !== 'string' || value === undefined || object[value] === '') return object
  return hasSecretName(name) ? { ...object, [value]: shown } : object
}

// '' is no secret: it removes the header.
function withoutSecretHeaders(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return redacted(value)
  const result = redacted(value) as Record<string, unknown>
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') continue
    if (text === '') result[name] = ''
    else if (hasSecretName(name)) result[name] = shown
  }
  return result
}

function hasSecretName(name: string): boolean {
  if (name.length > 256) return true
  const parts = name.replace(/([a-z])([A-Z])/g, '$1-$2').split(/[-_. ]/)
  return [...parts, ...name.split(/[-_. ]/)].some((part) => secretPart.test(part.toLowerCase()))
}

function hidden(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return shown
  if (Array.isArray(value)) return value.map(() => shown)
  return Object.fromEntries(Object.keys(value).map((key) => [key, shown]))
}

// 'http://user:secret@host' is refused as a server, but would still be shown; the install configuration has such URLs too.
// Where a password has a "/", "?" or "#" in it the text is no URL, so its host cannot be told from the password: then all up
// to the last "@" is hidden.
export function withoutCredentials(text: string): string {
  if (text.length >= 4096) return text
  const match = /^([a-z0-9+.-]{1,20}:\/\/)([^/?#]*@)?/i.exec(text)
  if (match === null) return text
  const [whole, scheme, credentials = ''] = match
  if (URL.canParse(text))
    return credentials === '' ? text : `${scheme}${shown}@${text.slice(whole.length)}`
  const at = text.lastIndexOf('@')
  return at < 0 ? text : `${scheme}${shown}@${text.slice(at + 1)}`
}
