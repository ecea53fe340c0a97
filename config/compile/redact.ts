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
const shown = 'xxxx'

export function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted)
  if (typeof value === 'string') return withoutCredentials(value)
  if (typeof value !== 'object' || value === null) return value
  const result: Record<string, unknown> = {}
  for (const [key, child] of Object.entries(value)) {
    result[key] = secretKeys.has(key.toLowerCase()) ? hidden(child) : redacted(child)
  }
  return result
}

function hidden(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return shown
  if (Array.isArray(value)) return value.map(() => shown)
  return Object.fromEntries(Object.keys(value).map((key) => [key, shown]))
}

// 'http://user:secret@host' is refused as a server, but would still be shown.
function withoutCredentials(text: string): string {
  return text.length < 4096
    ? text.replace(/^([a-z0-9+.-]{1,20}:\/\/)[^/@]*@/i, `$1${shown}@`)
    : text
}
