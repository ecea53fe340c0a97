// workers/health/board.ts: which servers are down, as one worker knows it.
//
// Owner:  the worker. The supervisor checks servers once per process (checks.ts) and tells every worker the
//         whole list when it changes; it is short, and a worker that comes later gets the same one.
// Hot:    isDown, once per choice of a server that is checked.

import type { HealthFlag } from '../../core/balance/target.ts'

// What a server is to its health: the protocol, its service, its address and all settings of the check. A
// changed check makes another server of it, whose state is not yet known.
export function healthKey(
  protocol: 'tcp' | 'http',
  service: string,
  address: string,
  check: object,
): string {
  return `${protocol} ${service} ${address} ${JSON.stringify(check)}`
}

export class HealthBoard {
  private down: ReadonlySet<string> = new Set()
  private readonly flags = new Map<string, { readonly flag: HealthFlag; users: number }>()

  // Whatever was never checked is up.
  isDown(key: string): boolean {
    return this.down.size > 0 && this.down.has(key)
  }

  // For whoever asks often; to be given back by release().
  flagOf(key: string): HealthFlag {
    let entry = this.flags.get(key)
    if (entry === undefined) {
      entry = { flag: { down: this.down.has(key), upSince: 0 }, users: 0 }
      this.flags.set(key, entry)
    }
    entry.users++
    return entry.flag
  }

  release(key: string): void {
    const entry = this.flags.get(key)
    if (entry !== undefined && --entry.users === 0) this.flags.delete(key)
  }

  // `now`: of the clock that threads share.
  replace(down: readonly string[], now: number): void {
    this.down = new Set(down)
    for (const [key, { flag }] of this.flags) {
      const isDown = this.down.has(key)
      if (flag.down && !isDown) flag.upSince = now
      flag.down = isDown
    }
  }
}
