// config/compile/auth-plan.ts: the users of basicAuth, from the configuration and from the file that it names.
//
// Every line is checked here, so that a worker meets none that it can't use. A wrong one disables the middleware: a user
// who can't log in would notice later, and find no reason. Messages never hold more of a line than its number. Hot: no.

import { type FileLine, linesOfFile, readPassword } from '../../core/auth/htpasswd.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import { shownName } from '../named-files.ts'
import type { Path } from '../problem.ts'
import type { PlanTools } from './middleware-plan.ts'

export function planBasicAuth(
  options: MiddlewareOptions<'basicAuth'>,
  at: Path,
  tools: PlanTools,
): MiddlewareOptions<'basicAuth'> {
  const faultOf = (line: string): string => {
    const read = readPassword(line)
    return typeof read === 'string' ? read : ''
  }
  const fromFile = linesOf(options.usersFile, [...at, 'usersFile'], tools, faultOf)
  options.users.forEach((line, index) => {
    const fault = faultOf(line)
    if (fault !== '') wrong(tools, [...at, 'users', index], `users: entry ${index + 1}: ${fault}`)
  })
  // As in Traefik an entry of the configuration counts more than one of the file.
  return { ...options, users: [...fromFile, ...options.users] }
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
