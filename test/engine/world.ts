// test/engine/world.ts: what a test of the engine contract has at hand: a gateway with the engine under test, a
// scripted server behind it, and clients.

import { type Gateway, type GatewayOptions, routesTo, startGateway } from '../support/gateway.ts'
import {
  type OriginConnection,
  type ScriptedOrigin,
  startScriptedOrigin,
} from '../support/origin.ts'
import { type RawClient, connectRaw } from '../support/raw-client.ts'

export type Engine = 'node' | 'uws'

// What the server does with a request whose head it has read. Other requests follow when it returns.
export type Script = (connection: OriginConnection, head: string) => unknown

export class World {
  readonly engine: Engine
  readonly gateway: Gateway
  readonly origin: ScriptedOrigin
  private readonly scripts: Map<string, Script>
  private readonly clients: RawClient[] = []
  private paths = 0

  private constructor(
    engine: Engine,
    gateway: Gateway,
    origin: ScriptedOrigin,
    scripts: Map<string, Script>,
  ) {
    this.engine = engine
    this.gateway = gateway
    this.origin = origin
    this.scripts = scripts
  }

  static async start(engine: Engine, options: GatewayOptions = {}): Promise<World> {
    const scripts = new Map<string, Script>()
    const origin = await startScriptedOrigin((connection) => serve(connection, scripts))
    const routes = routesTo([origin.url])
    const gateway = await startGateway({ engine, routes, ...options })
    return new World(engine, gateway, origin, scripts)
  }

  // A path of its own for each test, so that requests that a test left behind can't be taken for its own.
  path(script: Script): string {
    const path = `/test-${++this.paths}`
    this.scripts.set(path, script)
    return path
  }

  async connect(): Promise<RawClient> {
    const client = await connectRaw(this.gateway.port)
    this.clients.push(client)
    return client
  }

  // The number of heads that the server has seen for paths that begin like this is counted by scripts; this
  // tells whether the gateway is alive and nothing in it has failed.
  async assertSound(): Promise<void> {
    if (this.gateway.exit !== null) throw new Error(`the gateway died: ${this.gateway.stderr()}`)
    if (this.gateway.stderr().includes('defect')) throw new Error(this.gateway.stderr())
    const client = await this.connect()
    client.send(request(this.path((connection) => connection.send(answer('sound')))))
    const { body } = await client.readResponse()
    if (body !== 'sound') throw new Error(`the gateway answered ${body}`)
  }

  closeClients(): void {
    for (const client of this.clients.splice(0)) client.destroy()
  }

  async stop(): Promise<void> {
    this.closeClients()
    await this.gateway.stop()
    await this.origin.stop()
  }
}

async function serve(
  connection: OriginConnection,
  scripts: ReadonlyMap<string, Script>,
): Promise<void> {
  const forever = 3_600_000 // an idle connection of the gateway's pool
  for (;;) {
    const head = await connection.readRequestHead(forever)
    const target = head.split(' ', 2)[1] ?? ''
    const script = scripts.get(target.replace(/\?.*$/, ''))
    if (script === undefined) throw new Error(`no script for ${target}`)
    await script(connection, head)
    if (connection.closed) return
  }
}

export function request(path: string, headers = '', method = 'GET'): string {
  return `${method} ${path} HTTP/1.1\r\nHost: engine.test\r\n${headers}\r\n`
}

export function answer(body: string, headers = '', status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}

export function chunk(data: string): string {
  return `${data.length.toString(16)}\r\n${data}\r\n`
}
