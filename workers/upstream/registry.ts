// workers/upstream/registry.ts: the servers that one worker knows, kept from generation to generation.
//
// A server is its URL and all that its transport says: two services that name the same pair share its
// connections, and a change of either makes another server, whose predecessor drains.

import { cryptoModule } from '../builtins.ts'
import type { TransportPlan } from '../../config/generation.ts'
import type { WorkerContext } from '../context.ts'
import { Server } from './server.ts'

export class ServerRegistry {
  private readonly servers = new Map<string, Server>()
  private readonly context: WorkerContext
  // Of each plan, once: with certificates in it, a plan is long and secret, and thousands of servers name it.
  private readonly digests = new WeakMap<TransportPlan, string>()

  constructor(context: WorkerContext) {
    this.context = context
  }

  get size(): number {
    return this.servers.size
  }

  // The caller adds itself to server.users, and takes itself away when it is retired.
  get(url: string, transport: TransportPlan): Server {
    const key = url + ' ' + this.digestOf(transport)
    let server = this.servers.get(key)
    if (server === undefined) {
      server = new Server(key, url, transport, this.context)
      this.servers.set(key, server)
    }
    return server
  }

  private digestOf(transport: TransportPlan): string {
    let digest = this.digests.get(transport)
    if (digest === undefined) {
      const text = JSON.stringify(transport)
      // Keys and certificates are not carried about as names.
      const isLong = transport.tls.keyPem !== '' || transport.tls.rootCas !== ''
      digest = isLong ? cryptoModule().createHash('sha256').update(text).digest('base64') : text
      this.digests.set(transport, digest)
    }
    return digest
  }

  dropUnused(): void {
    for (const server of this.servers.values()) if (server.users === 0) server.retire()
  }

  drop(server: Server): void {
    if (this.servers.get(server.key) === server) this.servers.delete(server.key)
  }
}
