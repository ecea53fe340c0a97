// workers/upstream/registry.ts: the servers that one worker knows, kept from generation to generation.
//
// A server is its URL and all that its transport says: two services that name the same pair share its
// connections, and a change of either makes another server, whose predecessor drains.

import type { TransportPlan } from '../../config/generation.ts'
import type { WorkerContext } from '../context.ts'
import { Server } from './server.ts'

export class ServerRegistry {
  private readonly servers = new Map<string, Server>()
  private readonly context: WorkerContext

  constructor(context: WorkerContext) {
    this.context = context
  }

  get size(): number {
    return this.servers.size
  }

  // The caller adds itself to server.users, and takes itself away when it is retired.
  get(url: string, transport: TransportPlan): Server {
    const key = url + ' ' + JSON.stringify(transport)
    let server = this.servers.get(key)
    if (server === undefined) {
      server = new Server(key, url, transport, this.context)
      this.servers.set(key, server)
    }
    return server
  }

  dropUnused(): void {
    for (const server of this.servers.values()) if (server.users === 0) server.retire()
  }

  drop(server: Server): void {
    if (this.servers.get(server.key) === server) this.servers.delete(server.key)
  }
}
