// workers/health/board.ts: which servers are down, as one worker knows it.
//
// Owner:  the worker. The supervisor checks servers once per process (checks.ts) and tells every worker the
//         whole list when it changes; it is short, and a worker that comes later gets the same one.
// Hot:    isDown, once per choice of a server that is checked.

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

  // Whatever was never checked is up.
  isDown(key: string): boolean {
    return this.down.size > 0 && this.down.has(key)
  }

  replace(down: readonly string[]): void {
    this.down = new Set(down)
  }
}
