// config/compile/middleware-checks-auth.ts: the closer look at middlewares that ask who somebody is.
//
// Users and files are looked at when the middleware is planned (auth-plan.ts). Hot: no.

import { parsePart, partNames } from '../../core/auth/question-key.ts'
import { isFraming } from '../../core/middleware/header-line.ts'
import { isLocation } from '../../core/middleware/http/redirect.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import {
  failing,
  hasControls,
  one,
  quoted,
  wantName,
  wantRegex,
  type Fault,
} from './middleware-words.ts'

interface UsersOptions {
  readonly users: readonly string[]
  readonly usersFile: string
  readonly realm: string
  readonly headerField: string
}

// A header that the gateway sets with the name of the user.
const wantField = (name: string): string =>
  isFraming(name) || name.toLowerCase() === 'host'
    ? `${quoted(name)} belongs to the gateway itself`
    : wantName(name)

export function checkUsers({ users, usersFile, realm, headerField }: UsersOptions): Fault[] {
  const none = users.length === 0 && usersFile === ''
  return [
    ...(none ? [{ key: [], message: 'users or usersFile is required' }] : []),
    ...one('realm', realm, hasControls),
    ...(headerField === '' ? [] : one('headerField', headerField, wantField)),
  ]
}

// "http://user:pass/word@host" is no URL, so what may have a password in it stays out of the message.
const named = (url: string): string => (url.includes('@') ? 'it' : quoted(url))

function wantAddress(address: string): string {
  if (address === '') return 'it is required'
  if (!URL.canParse(address)) return `${named(address)} is not a URL`
  const { protocol, username, password, hash, hostname } = new URL(address)
  if (username !== '' || password !== '') return 'it holds credentials, which are not sent'
  if (protocol !== 'http:' && protocol !== 'https:')
    return `${quoted(address)} begins neither with http:// nor with https://`
  return hash === '' && hostname !== '' ? '' : `${quoted(address)} has a fragment or no host`
}

const wantUrl = (url: string): string =>
  URL.canParse(url) && isLocation(url) ? '' : `${named(url)} is not an absolute URL`

export function checkForwardAuth(options: MiddlewareOptions<'forwardAuth'>): Fault[] {
  const { address, authResponseHeadersRegex: regex, authSigninURL, headerField } = options
  return [
    ...one('address', address, wantAddress),
    ...failing('authResponseHeaders', options.authResponseHeaders, wantField),
    ...failing('authRequestHeaders', options.authRequestHeaders, wantName),
    ...failing('addAuthCookiesToResponse', options.addAuthCookiesToResponse, wantName),
    ...(regex === '' ? [] : one('authResponseHeadersRegex', regex, wantRegex)),
    ...(authSigninURL === '' ? [] : one('authSigninURL', authSigninURL, wantUrl)),
    ...(headerField === '' ? [] : one('headerField', headerField, wantName)),
    ...(options.timeout > 0 ? [] : [{ key: ['timeout'], message: 'timeout: must be more than 0' }]),
    ...checkCache(options),
  ]
}

const TTL_MAX_MS = 3_600_000 // whoever is locked out passes for so long
const ENTRIES_MAX = 65_536 // what KEPT_BYTES_MAX has room for
const PARTS_MAX = 32

// Who asks always counts. A header that says it and does not matter is one that the server need not be told.
function wantPart(part: string): string {
  if (parsePart(part) === null)
    return `${quoted(part)} is none of ${partNames.join(', ')}, header.X`
  return /^header\.(?:authorization|cookie)$/i.test(part)
    ? `${quoted(part)} says who asks; authRequestHeaders is where not to tell it`
    : ''
}

function checkCache(options: MiddlewareOptions<'forwardAuth'>): Fault[] {
  const { cache, forwardBody, preserveRequestMethod } = options
  if (cache === null) return []
  const { ttl, refusedTtl, entriesMax, ignore, cookies } = cache
  const faults = [
    ...(ttl > 0 && ttl <= TTL_MAX_MS ? [] : one('ttl', '', () => 'expected more than 0, up to 1h')),
    ...(refusedTtl <= TTL_MAX_MS ? [] : one('refusedTtl', '', () => 'at most 1h')),
    ...(entriesMax > 0 && entriesMax <= ENTRIES_MAX
      ? []
      : one('entriesMax', '', () => `expected 1 to ${ENTRIES_MAX}`)),
    ...failing('ignore', ignore.slice(0, PARTS_MAX), wantPart),
    ...failing('cookies', cookies.slice(0, PARTS_MAX), wantName),
    ...(Math.max(ignore.length, cookies.length) <= PARTS_MAX
      ? []
      : [{ key: [], message: `at most ${PARTS_MAX} entries of ignore and of cookies` }]),
    ...(forwardBody ? [{ key: [], message: 'can not be given with forwardBody' }] : []),
    ...(preserveRequestMethod && ignore.includes('method')
      ? [{ key: ['ignore'], message: 'ignore: preserveRequestMethod asks by the method' }]
      : []),
  ]
  return faults.map(({ key, message }) => ({
    key: ['cache', ...key],
    message: `cache: ${message}`,
  }))
}
