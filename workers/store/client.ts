// workers/store/client.ts: a connection to Redis or Valkey: one server, a cluster, or the master that sentinels name.
//
// Owner:  a StoreLink (link.ts), one per worker and configured store. Commands of all requests share the connection and are
//         answered in their order; nothing waits for a connection that is not there.
// Hot: no. @redis/client is loaded when a configuration names a store: that takes a thread some 100 ms, once.

import { Buffer } from 'node:buffer'
import type { StorePlan } from '../../core/rate/store.ts'
import { timerMs } from '../../core/timer-ms.ts'
import { type ScriptName, scripts } from './scripts.ts'

export type Parameter = string | Buffer

export interface StoreClient {
  run(script: ScriptName, key: string, parameters: readonly Parameter[]): Promise<unknown>
  close(): void
}

export const COMMANDS_MAX = 10_000 // that wait for an answer; one more fails at once
const RECONNECT_FIRST_MS = 50
const RECONNECT_MAX_MS = 500 // back within a second
const PING_INTERVAL_MS = 1000
const SILENT_MAX_MS = 5000 // of a connection: then it is closed and made anew
const SENTINEL_SCAN_MS = 1000

type Library = typeof import('@redis/client')

// Resolves when it is connected; `onFault` is told of every connection that fails, now and later. `asBytes`: texts in
// answers are Buffers.
export async function connectStore(
  plan: StorePlan,
  asBytes: boolean,
  onFault: (fault: Error) => void,
): Promise<StoreClient> {
  const library = await import('@redis/client')
  const client = createFor(library, plan)
  // Of one of several clients it is an event that holds the error.
  client.on('error', (fault) => onFault(fault instanceof Error ? fault : fault.error))
  try {
    await client.connect()
  } catch (fault) {
    client.destroy()
    throw fault
  }
  const { BLOB_STRING } = library.RESP_TYPES
  const asked = asBytes ? client.withTypeMapping({ [BLOB_STRING]: Buffer }) : client
  return {
    run: (script, key, parameters) => asked[script](key, parameters),
    close: () => {
      client.destroy()
    },
  }
}

type Run = (key: string, parameters: readonly Parameter[]) => Promise<unknown>

// What is used of all three kinds of client.
interface Connected extends Readonly<Record<ScriptName, Run>> {
  on(event: 'error', listener: (fault: Error | { readonly error: Error }) => void): unknown
  connect(): Promise<unknown>
  destroy(): unknown
  withTypeMapping(mapping: Readonly<Record<number, unknown>>): Connected
}

function createFor(library: Library, plan: StorePlan): Connected {
  const defined = scriptsOf(library)
  const common = optionsOf(plan)
  const first = plan.nodes[0]!
  if (plan.kind === 'cluster') {
    const rootNodes = plan.nodes.map((node) => ({ socket: { ...common.socket, ...node } }))
    return library.createCluster({
      rootNodes,
      defaults: common,
      scripts: defined,
      RESP: 2,
    } as never) as never
  }
  if (plan.kind === 'sentinel') {
    const { sentinelUsername: username, sentinelPassword: password } = plan // of the sentinels themselves
    return library.createSentinel({
      name: plan.masterSet,
      sentinelRootNodes: [...plan.nodes],
      nodeClientOptions: common,
      sentinelClientOptions: optionsOf({ ...plan, username, password, database: 0 }),
      passthroughClientErrorEvents: true,
      scanInterval: SENTINEL_SCAN_MS,
      scripts: defined,
      RESP: 2,
    } as never) as never
  }
  const socket = { ...common.socket, ...first }
  return library.createClient({ ...common, socket, scripts: defined, RESP: 2 } as never) as never
}

function scriptsOf({ defineScript }: Library) {
  // EVALSHA; a server that does not know the script is given it with EVAL.
  const define = (text: string) =>
    defineScript({
      SCRIPT: text,
      NUMBER_OF_KEYS: 1,
      parseCommand(parser, key: string, parameters: readonly Parameter[]) {
        parser.pushKey(key)
        for (const parameter of parameters) parser.push(parameter)
      },
      transformReply: undefined as unknown as () => unknown,
    })
  return Object.fromEntries(Object.entries(scripts).map(([name, text]) => [name, define(text)]))
}

const credentials = (username: string, password: string) => ({
  ...(username === '' ? {} : { username }),
  ...(password === '' ? {} : { password }),
})

function optionsOf(plan: StorePlan) {
  return {
    socket: {
      connectTimeout: timerMs(plan.dialTimeoutMs),
      socketTimeout: SILENT_MAX_MS,
      reconnectStrategy: (retries: number) =>
        Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** Math.min(retries, 10)) *
        (0.5 + Math.random() / 2),
      ...tlsOf(plan),
    },
    ...credentials(plan.username, plan.password),
    database: plan.database,
    commandsQueueMaxLength: COMMANDS_MAX,
    disableOfflineQueue: true,
    pingInterval: PING_INTERVAL_MS,
    disableClientInfo: true,
    RESP: 2, // integers and texts are all that is answered; servers before 6.0 know nothing else
  }
}

function tlsOf({ tls }: StorePlan): object {
  if (tls === null) return {}
  return {
    tls: true,
    rejectUnauthorized: !tls.insecureSkipVerify,
    ...(tls.caPem === '' ? {} : { ca: tls.caPem }),
    ...(tls.certPem === '' ? {} : { cert: tls.certPem, key: tls.keyPem }),
  }
}
