// core/auth/users.ts: the users of one basicAuth, shared by all routers of a worker that name it.
//
// Owner:  the plan that it was made from; a changed plan makes a new one, and what was remembered is gone. Hot: look-ups.

import { BCRYPT, MD5_CRYPT, readPassword, type PasswordEntry } from './htpasswd.ts'

const REMEMBERED_MAX = 4096 // credentials of the last `cacheTtl`; the oldest goes first

export class Users {
  // Whoever is unknown is checked against this one, so that the time tells nobody who is known. null: no users at all.
  readonly stranger: PasswordEntry | null
  private readonly byName = new Map<string, PasswordEntry>()
  private readonly remembered = new Map<string, number>() // a keyed hash of user and password: until when

  // As in Traefik the last line of a user counts. Lines were checked by configuration.
  constructor(lines: readonly string[]) {
    for (const line of lines) {
      const entry = readPassword(line)
      if (typeof entry !== 'string') this.byName.set(entry.user, entry)
    }
    this.stranger = dearest([...this.byName.values()])
  }

  get size(): number {
    return this.byName.size
  }

  find(user: string): PasswordEntry | null {
    return this.byName.get(user) ?? null
  }

  remember(key: string, until: number): void {
    this.remembered.delete(key)
    this.remembered.set(key, until)
    if (this.remembered.size <= REMEMBERED_MAX) return
    const [oldest] = this.remembered.keys()
    this.remembered.delete(oldest!)
  }

  isRemembered(key: string, now: number): boolean {
    const until = this.remembered.get(key)
    if (until === undefined) return false
    if (now < until) return true
    this.remembered.delete(key)
    return false
  }
}

// bcrypt before MD5 before SHA-1, and of bcrypt the highest cost.
function dearest(entries: readonly PasswordEntry[]): PasswordEntry | null {
  let found: PasswordEntry | null = null
  for (const entry of entries) if (found === null || priceOf(entry) > priceOf(found)) found = entry
  return found
}

function priceOf({ scheme, hash }: PasswordEntry): number {
  if (scheme === BCRYPT) return Number(hash.slice(4, 6)) + 1
  return scheme === MD5_CRYPT ? 1 : 0
}

const known = new WeakMap<object, Users>()

// `owner`: the options of a plan, which all routers have in common.
export function usersOf(owner: object, lines: readonly string[]): Users {
  let users = known.get(owner)
  if (users === undefined) {
    users = new Users(lines)
    known.set(owner, users)
  }
  return users
}
