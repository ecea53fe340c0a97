// certificates/storage/redis-client.ts: one connection to Redis or Valkey for a store of certificates, opened by the first
// command and again by the next one after it broke. Hot: no.
//
// A command that fails has failed: nothing is sent twice, because a lock that was taken must not be taken again.

import type { createClient } from '@redis/client'

export type Reply = string | number | null | readonly Reply[]

export class RedisError extends Error {}

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly username: string // '' for none
  readonly password: string // secret
  readonly database: number
}

const TIMEOUT_MS = 5000 // of a connection, and of a socket without a byte: then what waits fails

type Client = ReturnType<typeof createClient>

export class RedisClient {
  private readonly address: RedisAddress
  private connection: Promise<Client> | null = null
  private waiting = 0

  constructor(address: RedisAddress) {
    this.address = address
  }

  async command(...words: readonly string[]): Promise<Reply> {
    this.connection ??= this.open()
    const opening = this.connection
    try {
      const client = await opening
      if (this.waiting++ === 0) client.ref()
      try {
        return (await client.sendCommand([...words])) as unknown as Reply
      } finally {
        if (--this.waiting === 0) client.unref()
      }
    } catch (fault) {
      throw new RedisError(`${this.address.host}:${this.address.port}: ${reasonOf(fault)}`)
    }
  }

  private async open(): Promise<Client> {
    const { host, port, tls, username, password, database } = this.address
    const { createClient: create } = await import('@redis/client')
    const client = create({
      socket: {
        host,
        port,
        ...(tls ? { tls: true as const } : {}),
        connectTimeout: TIMEOUT_MS,
        socketTimeout: TIMEOUT_MS,
        reconnectStrategy: false,
      },
      ...(username === '' ? {} : { username }),
      ...(password === '' ? {} : { password }),
      database,
      disableOfflineQueue: true,
      disableClientInfo: true,
      RESP: 2,
    }) as unknown as Client
    // Who waits is told by its command; the next one opens another connection.
    client.on('error', () => this.forget())
    try {
      await client.connect()
      client.unref()
      return client
    } catch (fault) {
      this.forget()
      throw fault
    }
  }

  private forget(): void {
    this.connection = null
  }

  async close(): Promise<void> {
    const opening = this.connection
    this.forget()
    const client = await opening?.catch(() => null)
    if (client?.isOpen === true) client.destroy()
  }
}

function reasonOf(fault: unknown): string {
  const text = fault instanceof Error ? fault.message || fault.name : String(fault)
  return text.slice(0, 200)
}
