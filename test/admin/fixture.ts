// A supervisor's state for the admin server, and a client for its unix socket.

import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noStatus, type ObjectStatus, type RuntimeStatus } from '../../config/generation.ts'
import { vi } from 'vitest'
import { loadStatic } from '../../config/sources.ts'
import type { StaticConfig } from '../../config/static.ts'
import type { AdminState } from '../../admin/state.ts'

export interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  readonly text: string
}

export function get(socketPath: string, path: string, method = 'GET', body = ''): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        const bytes = Buffer.concat(parts)
        const { statusCode = 0, headers } = response
        resolve({ status: statusCode, headers, bytes, text: bytes.toString() })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

// Once the assertion holds: vi.waitFor gives it a second, and a machine may stand still for one.
export function soon(assertion: () => unknown): Promise<unknown> {
  return vi.waitFor(assertion, { timeout: 20_000 })
}

function noFile(): null {
  return null
}

export function staticOf(...argv: string[]): StaticConfig {
  return loadStatic({ argv, env: {}, cwd: '/', readFile: noFile, cores: 2 }).config
}

export function objectOf(name: string, more: Partial<ObjectStatus> = {}): ObjectStatus {
  return {
    name,
    provider: 'file',
    status: 'enabled',
    error: [],
    using: [],
    usedBy: [],
    definition: null,
    ...more,
  }
}

export function mapOf(objects: readonly ObjectStatus[]): ReadonlyMap<string, ObjectStatus> {
  return new Map(objects.map((object) => [object.name, object]))
}

export const noObjects: RuntimeStatus = {
  ...noStatus,
  routers: new Map(),
  services: new Map(),
  middlewares: new Map(),
}

export function stateOf(more: Partial<AdminState> = {}): AdminState {
  return {
    version: '0.1.0',
    startedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    staticConfig: staticOf('--entryPoints.web.address=:8000', '--api=true'),
    providers: ['File'],
    metrics: null,
    runtime: () => noObjects,
    generation: () => ({ number: 3, convergenceMs: 12, loadedAt: 0 }),
    lastLoad: () => ({ succeeded: true, problems: [] }),
    rollouts: () => [],
    steer: () => null,
    workers: () => [],
    breakers: () => [],
    spiffe: () => null,
    caches: () => [],
    purge: () => Promise.resolve({ count: 0, late: [] }),
    isUp: () => true,
    ...more,
  }
}
