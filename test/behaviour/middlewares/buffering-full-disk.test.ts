// Buffering with files on a disk that is really full: a file system of 1 MiB that only this gateway sees.

import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { eventually } from '../../support/wait.ts'
import * as scene from './spool-scene.ts'

const MIB = 1024 * 1024
const fits = randomBytes(MIB / 2)
const tooLong = randomBytes(3 * MIB)

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-full-'))
// A mount namespace, as root or in a user namespace of one's own; then the gateway in place of the shell.
const mounted = ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=1m none "$0" && exec "$@"', folder]
const mayMount = spawnSync('unshare', [...mounted, 'true']).status === 0

let origin: HttpOrigin
let gateway: Gateway
let asked = 0

beforeAll(async () => {
  origin = await startHttpOrigin((request, response) => {
    asked++
    request.resume()
    response.on('error', () => {})
    request.on('end', () => response.end(request.url === '/long' ? tooLong : fits))
  })
})
afterEach(() => gateway?.stop())
afterAll(async () => {
  await origin?.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function start(engine: 'node' | 'uws'): Promise<void> {
  asked = 0
  const small = { memRequestBodyBytes: 4096, memResponseBodyBytes: 4096 }
  gateway = await startGateway({
    engine,
    through: ['unshare', ...mounted],
    static: { buffering: { directory: folder, diskBytesMax: 100 * MIB } },
    routes: {
      http: {
        routers: {
          all: { rule: 'PathPrefix(`/`)', service: 'origin', middlewares: ['files'] },
        },
        middlewares: { files: { buffering: small } },
        services: { origin: { loadBalancer: { servers: [{ url: origin.url }] } } },
      },
    },
  })
}

// The status, or -1 where the gateway ended the connection before it had all of the body.
function post(body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const options = { port: gateway.port, method: 'POST', path: '/', agent: false }
    const request = http.request(options, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    request.on('error', () => resolve(-1))
    request.end(body)
  })
}

const nothingIsOpen = (): Promise<void> =>
  eventually('the file to be closed', async () => {
    return scene.openFiles(gateway, folder) === 0 && (await scene.diskBytes(gateway)) === 0
  })

test.skipIf(!mayMount).each(['node', 'uws'] as const)(
  'what a full disk does not hold is a 507, and its space serves the next (%s; needs a mount of its own)',
  async (engine) => {
    await start(engine)
    for (let round = 0; round < 3; round++) {
      const long = await scene.get(gateway, '/long')
      expect(long.status).toBe(507)
      expect(long.bytes.toString()).toContain('SPOOL_FULL')
      await nothingIsOpen()
      const short = await scene.get(gateway, '/short')
      expect(short.status).toBe(200)
      expect(short.bytes.equals(fits)).toBe(true)
      await nothingIsOpen()
    }
    await gateway.untilStderr('ENOSPC')
    const before = asked
    expect([507, -1]).toContain(await post(tooLong))
    expect(asked).toBe(before)
    await nothingIsOpen()
    expect(await post(fits)).toBe(200)
    expect(gateway.exit).toBe(null)
  },
)
