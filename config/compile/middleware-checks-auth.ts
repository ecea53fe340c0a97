// config/compile/middleware-checks-auth.ts: the closer look at middlewares that ask who somebody is.
//
// Users and files are looked at when the middleware is planned (auth-plan.ts). Hot: no.

import { isFraming } from '../../core/middleware/header-line.ts'
import { hasControls, one, quoted, wantName, type Fault } from './middleware-words.ts'

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
