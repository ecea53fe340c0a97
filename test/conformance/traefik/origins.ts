// test/conformance/traefik/origins.ts: the servers that both gateways have. They remember what they were sent and answer
// as the request under way says.

import {
  type OriginConnection,
  type ScriptedOrigin,
  type ScriptedRequest,
  startScriptedOrigin,
} from '../../support/origin.ts'
import { responseText } from '../../support/scene.ts'

export interface Served {
  readonly origin: string
  readonly line: string
  readonly headers: readonly string[] // as they arrived
  readonly body: string
}

// The bytes of a response; null: the connection is closed without a word. `count`: how many requests there were by now for
// what is being asked.
export type Reply = (served: Served, count: number) => string | null | Promise<string | null>

export const names = ['a', 'b', 'c', 'auth', 'pages'] as const

export class Origins {
  served: Served[] = []
  reply: Reply = plain
  private readonly all = new Map<string, ScriptedOrigin>()

  static async start(): Promise<Origins> {
    const origins = new Origins()
    for (const name of names) {
      const origin = await startScriptedOrigin((connection) => origins.serve(name, connection))
      origins.all.set(name, origin)
    }
    return origins
  }

  readonly url = (name: string): string => this.all.get(name)!.url

  async stop(): Promise<void> {
    for (const origin of this.all.values()) await origin.stop()
  }

  private async serve(origin: string, connection: OriginConnection): Promise<void> {
    for (;;) {
      const served = servedOf(origin, await connection.readRequest(600_000))
      this.served.push(served)
      const reply = await this.reply(served, this.served.length)
      if (reply === null) return connection.destroy()
      connection.send(reply)
      if (/^connection: close\r$/im.test(reply)) return void connection.end()
    }
  }
}

function servedOf(origin: string, { head, body }: ScriptedRequest): Served {
  const [line = '', ...headers] = head.trimEnd().split('\r\n')
  return { origin, line, headers, body }
}

export function plain(served: Served): string {
  return responseText(`by ${served.origin}`, 'Content-Type: text/plain\r\n')
}

export function hangUp(): null {
  return null
}
