// config/compile/middleware-checks-auth.ts: the closer look at middlewares that ask who somebody is.
//
// Users and files are looked at when the middleware is planned (auth-plan.ts). Hot: no.

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

function wantAddress(address: string): string {
  if (address === '') return 'it is required'
  if (!URL.canParse(address)) return `${quoted(address)} is not a URL`
  const { protocol, username, password, hash, hostname } = new URL(address)
  if (username !== '' || password !== '') return 'it holds credentials, which are not sent'
  if (protocol !== 'http:' && protocol !== 'https:')
    return `${quoted(address)} begins neither with http:// nor with https://`
  return hash === '' && hostname !== '' ? '' : `${quoted(address)} has a fragment or no host`
}

const wantUrl = (url: string): string =>
  URL.canParse(url) && isLocation(url) ? '' : `${quoted(url)} is not an absolute URL`

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
  ]
}
