// config/compile/auth-plan.ts: the users of basicAuth and digestAuth, from the configuration and from the file that it names.
//
// Every line is checked here, so that a worker meets none that it can't use. A wrong one disables the middleware: a user
// who can't log in would notice later, and find no reason. Messages never hold more of a line than its number. Hot: no.

import { type FileLine, linesOfFile, readDigest, readPassword } from '../../core/auth/htpasswd.ts'
import { bytesOfText } from '../../core/percent.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import { shownName } from '../named-files.ts'
import type { Path } from '../problem.ts'
import type { PlanTools } from './middleware-plan.ts'

type UsersOptions = MiddlewareOptions<'basicAuth'> | MiddlewareOptions<'digestAuth'>

export function planBasicAuth(
  options: MiddlewareOptions<'basicAuth'>,
  at: Path,
  tools: PlanTools,
): MiddlewareOptions<'basicAuth'> {
  return { ...options, users: usersOf(options, at, tools, (line) => faultIn(readPassword(line))) }
}

// A file may hold several realms; then there has to be one user of ours in it.
export function planDigestAuth(
  options: MiddlewareOptions<'digestAuth'>,
  at: Path,
  tools: PlanTools,
): MiddlewareOptions<'digestAuth'> {
  const users = usersOf(options, at, tools, (line) => faultIn(readDigest(line)))
  const { realm } = options
  const isOurs = (line: string): boolean => {
    const entry = readDigest(line)
    return typeof entry === 'string' || entry.realm === bytesOfText(realm)
  }
  options.users.forEach((line, index) => {
    const message = `users: entry ${index + 1}: it is of another realm than ${JSON.stringify(realm)}`
    if (!isOurs(line)) wrong(tools, [...at, 'users', index], message)
  })
  if (users.length > 0 && !users.some(isOurs)) {
    wrong(tools, [...at, 'realm'], `no user is of the realm ${JSON.stringify(realm)}`)
  }
  return { ...options, users }
}

function faultIn(read: object | string): string {
  return typeof read === 'string' ? read : ''
}

// As in Traefik an entry of the configuration counts more than one of the file.
function usersOf(
  options: UsersOptions,
  at: Path,
  tools: PlanTools,
  faultOf: (line: string) => string,
): string[] {
  const fromFile = linesOf(options.usersFile, [...at, 'usersFile'], tools, faultOf)
  options.users.forEach((line, index) => {
    const fault = faultOf(line)
    if (fault !== '') wrong(tools, [...at, 'users', index], `users: entry ${index + 1}: ${fault}`)
  })
  return [...fromFile, ...options.users]
}

function wrong({ shared, entry, errors }: PlanTools, key: Path, message: string): void {
  shared.fail(entry, key, 'CONFIG_MIDDLEWARE', message, errors)
}

const faultsShown = 5 // of one file

function linesOf(
  path: string,
  key: Path,
  tools: PlanTools,
  faultOf: (line: string) => string,
): readonly string[] {
  if (path === '') return []
  const { text, fault } = tools.shared.files.read(path)
  if (fault !== '') wrong(tools, key, `usersFile ${shownName(path)} ${fault}`)
  const lines = linesOfFile(text)
  const faults = lines
    .map((line): [FileLine, string] => [line, faultOf(line.text)])
    .filter(([, reason]) => reason !== '')
  for (const [{ number }, reason] of faults.slice(0, faultsShown)) {
    wrong(tools, key, `usersFile ${shownName(path)}:${number}: ${reason}`)
  }
  return lines.map((line) => line.text)
}
