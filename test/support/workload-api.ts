// test/support/workload-api.ts: a SPIFFE agent for tests, on a socket of its own, by @grpc/grpc-js.

import { X509Certificate, createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import type { Issued } from './certificates.ts'

type Call = grpc.ServerWritableStream<Buffer, Buffer>

export interface Given {
  readonly id: string
  readonly svid: Issued
  readonly bundle: readonly Issued[]
  readonly federated?: Readonly<Record<string, readonly Issued[]>>
}

export class WorkloadApi {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-spiffe-'))
  readonly address = `unix://${this.folder}/agent.sock`
  calls = 0 // that were made so far
  private server: grpc.Server | null = null
  private readonly streams = new Set<Call>()
  private last: Buffer | null = null
  private refusal: grpc.status | null = null

  async start(): Promise<void> {
    rmSync(join(this.folder, 'agent.sock'), { force: true }) // of a life before
    const server = new grpc.Server()
    const path = '/SpiffeWorkloadAPI/FetchX509SVID'
    const same = (bytes: Buffer): Buffer => bytes
    const definition = {
      path,
      requestStream: false,
      responseStream: true,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    }
    server.addService(
      { FetchX509SVID: definition },
      { FetchX509SVID: (call: Call) => this.answer(call) },
    )
    await new Promise<void>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure()
      server.bindAsync(this.address, credentials, (fault) =>
        fault === null ? resolve() : reject(fault),
      )
    })
    this.server = server
  }

  private answer(call: Call): void {
    this.calls++
    const [header] = call.metadata.get('workload.spiffe.io')
    if (header !== 'true') return void call.emit('error', { code: grpc.status.INVALID_ARGUMENT })
    if (this.refusal !== null) return void call.emit('error', { code: this.refusal })
    this.streams.add(call)
    call.on('cancelled', () => this.streams.delete(call))
    if (this.last !== null) call.write(this.last)
  }

  // To whoever listens now, and to whoever comes later.
  give(given: Given): void {
    this.send(responseOf(given))
  }

  send(message: Buffer): void {
    this.last = message
    for (const call of this.streams) call.write(message)
  }

  // From now on; null takes it back.
  refuse(code: grpc.status | null): void {
    this.refusal = code
    for (const call of this.streams) call.end()
    this.streams.clear()
  }

  stop(): void {
    this.server?.forceShutdown()
    this.server = null
    this.streams.clear()
  }

  remove(): void {
    this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function responseOf({ id, svid, bundle, federated = {} }: Given): Buffer {
  const key = createPrivateKey(svid.keyPem).export({ format: 'der', type: 'pkcs8' })
  const one = message([1, id], [2, der([svid])], [3, key], [4, der(bundle)], [5, 'a hint'])
  const others = Object.entries(federated).map(
    ([name, roots]) => [3, message([1, name], [2, der(roots)])] as const,
  )
  return message([1, one], ...others)
}

function der(issued: readonly Issued[]): Buffer {
  return Buffer.concat(issued.map(({ certPem }) => new X509Certificate(certPem).raw))
}

export function message(...fields: readonly (readonly [number, Buffer | string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) => {
      const bytes = Buffer.from(value as string)
      return [Buffer.from([number * 8 + 2, ...varint(bytes.length)]), bytes]
    }),
  )
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]
}
