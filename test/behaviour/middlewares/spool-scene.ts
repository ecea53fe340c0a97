// What a gateway holds in files of bodies, seen from outside. Used by tests of buffering.

import { readdirSync, readlinkSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import { afterAll, beforeAll, expect } from 'vitest'
import type { Gateway } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'

// Files in `folder` that the gateway has open.
export function openFiles(gateway: Gateway, folder: string): number {
  const descriptors = `/proc/${gateway.child.pid}/fd`
  return readdirSync(descriptors).filter((name) =>
    target(`${descriptors}/${name}`).includes(folder),
  ).length
}

function target(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return '' // closed meanwhile
  }
}

export async function metric(gateway: Gateway, name: string): Promise<number> {
  const page = await gateway.admin('/metrics')
  const line = page.body.split('\n').find((candidate) => candidate.startsWith(name))
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ')))
}

export const diskBytes = (gateway: Gateway): Promise<number> =>
  metric(gateway, 'sluice_buffering_disk_bytes ')

export async function nothingIsLeft(gateway: Gateway, folder: string): Promise<void> {
  await eventually('the file to be closed', () => openFiles(gateway, folder) === 0)
  await eventually('its bytes to be given back', async () => (await diskBytes(gateway)) === 0)
  expect(readdirSync(folder)).toEqual([])
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly trailers: NodeJS.Dict<string>
  readonly bytes: Buffer
}

export function get(
  gateway: Gateway,
  target: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { port: gateway.port, path: target, headers, agent: false }
    const request = http.get(options, (response) => {
      const pieces: Buffer[] = []
      response.on('error', reject)
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => {
        const { statusCode, trailers } = response
        const bytes = Buffer.concat(pieces)
        resolve({ status: statusCode!, headers: response.headers, trailers, bytes })
      })
    })
    request.on('error', reject)
  })
}

// A client of HTTP/2 for the tests of one block, whose gateway is made before and stopped after them.
export function useSession(begin: () => Promise<Gateway>): () => http2.ClientHttp2Session {
  let gateway: Gateway | null = null
  let session: http2.ClientHttp2Session | null = null
  beforeAll(async () => {
    gateway = await begin()
    session = http2.connect(`http://127.0.0.1:${gateway.port}`)
  })
  afterAll(async () => {
    session?.destroy()
    await gateway?.stop()
  })
  return () => session!
}
