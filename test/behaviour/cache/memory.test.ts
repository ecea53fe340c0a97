// What the process grows by while long responses come and give way.

import { readFileSync } from 'node:fs'
import http from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { type CacheScene, startCacheScene } from '../../support/cache-scene.ts'

const MEBIBYTE = 1_048_576
const BODY = 4_000_000
const REQUESTS = 150

function mebibytesOf({ gateway }: CacheScene): number {
  const status = readFileSync(`/proc/${gateway.child.pid!}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024
}

function take(port: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      response.on('end', resolve).on('error', reject).resume()
    })
    request.on('error', reject)
  })
}

// The most that there was while this many were asked for.
async function peakOf(scene: CacheScene, path: string): Promise<number> {
  let peak = 0
  for (let i = 0; i < REQUESTS; i++) {
    await take(scene.gateway.port, `${path}?${i}`)
    peak = Math.max(peak, mebibytesOf(scene))
  }
  return peak
}

test('memory is bounded by the limit, and not by what has given way', async () => {
  const memory = { limit: '16Mi', entryLimit: '4Mi' }
  const scene = await startCacheScene({ workers: 2, cache: { store: { memory } } })
  onTestFinished(() => scene.stop())
  const body = Buffer.alloc(BODY, 'x')
  for (const [path, control] of [
    ['/passed-on', 'no-store'],
    ['/stored', 'max-age=600'],
  ] as const)
    scene.answer(path, (response) =>
      response.writeHead(200, { 'Cache-Control': control, 'Content-Length': BODY }).end(body),
    )
  const before = await peakOf(scene, '/passed-on')
  const grown = (await peakOf(scene, '/stored')) - before
  expect(await scene.metric('sluice_cache_stored_total')).toBe(REQUESTS)
  // The limit, what may have given way since the last collection (64 MiB), and as much again for a machine that is slow.
  expect(grown).toBeLessThan(2 * (16 + 64))
  expect((REQUESTS * BODY) / MEBIBYTE).toBeGreaterThan(500) // all of which stayed, once
}, 120_000)
