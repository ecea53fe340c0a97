// Compression of streams: a pause of the server holds nothing back, a slow client holds the server back, and one that
// leaves frees its encoder.

import http2 from 'node:http2'
import zlib from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import { eventually } from '../../support/wait.ts'
import { type CompressScene, startCompressScene } from './compress-scene.ts'

const gzip = { 'Accept-Encoding': 'gzip' }
let scene: CompressScene

beforeAll(async () => {
  scene = await startCompressScene()
})

afterAll(() => scene?.stop())

async function untilDecoded(
  decoder: zlib.Gunzip,
  response: NodeJS.ReadableStream,
): Promise<() => string> {
  let shown = ''
  decoder.on('data', (bytes: Buffer) => (shown += bytes.toString()))
  response.pipe(decoder)
  await eventually('the first bytes', () => shown === 'first ' || shown === 'data: first\n\n')
  return () => shown
}

describe('a server that pauses', () => {
  test.each([
    ['/slow', 'all.test', 'of unknown length'],
    ['/slow-length', 'all.test', 'of known length'],
    ['/slow-events', 'events.test', 'events, when they are included'],
  ])('%s of %s: its client has what it has sent (%s)', async (path, host) => {
    const response = await scene.ask(path, { ...gzip, Host: host })
    expect(response.headers['content-encoding']).toBe('gzip')
    const shown = await untilDecoded(zlib.createGunzip(), response)
    const server = scene.waiting.pop()!
    server.write('second ')
    await eventually('the second bytes', () => shown().endsWith('second '))
    server.end('x'.repeat(4096 - 'first second '.length))
    await eventually('the end', () => shown().endsWith('xxx'))
  })

  test('may speak HTTP/2, and its client too', async () => {
    const client = http2.connect(`http://127.0.0.1:${scene.gateway.port}`)
    const stream = client.request({ ':authority': 'h2.test', 'accept-encoding': 'gzip' })
    const shown = await untilDecoded(zlib.createGunzip(), stream)
    scene.waitingStreams.pop()!.end('second ')
    await eventually('the end', () => shown() === 'first second ')
    client.close()
  })
})

const encodersInUse = async (): Promise<number> =>
  metricSum((await scene.gateway.admin('/metrics')).body, 'sluice_compress_encoders')

describe('a client that reads slowly or leaves', () => {
  test('holds the server back', async () => {
    const sent = scene.taken()
    const response = await scene.ask('/endless', gzip)
    response.pause()
    let before = -1
    await eventually('the server to be paused', async () => {
      const stands = scene.taken() === before
      before = scene.taken()
      await new Promise((resolve) => setTimeout(resolve, 200)) // two looks that far apart see the same
      return stands
    })
    expect(scene.taken() - sent).toBeLessThan(64 * 1024 * 1024)
    response.destroy()
    await eventually('its encoder to be free', async () => (await encodersInUse()) === 0)
  })

  test('frees its encoder, a thousand times over, and memory stays where it was', async () => {
    const rss = async (): Promise<number> =>
      metricSum((await scene.gateway.admin('/metrics')).body, 'process_resident_memory_bytes')
    const abort = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i += 20) {
        const codings = ['gzip', 'br', 'zstd']
        const responses = await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            scene.ask('/slow', { 'Accept-Encoding': codings[at % 3] }),
          ),
        )
        // A reset: a client that has only half-closed still wants its answer.
        for (const response of responses) response.on('error', () => {}).socket.resetAndDestroy()
        scene.waiting.length = 0
      }
      await eventually('all encoders to be free', async () => (await encodersInUse()) === 0)
    }
    await abort(400)
    const before = await rss()
    await abort(1000)
    expect((await rss()) - before).toBeLessThan(16 * 1024 * 1024)
    const page = (await scene.gateway.admin('/metrics')).body
    const counted = metricSum(page, 'sluice_compress_responses_total', 'coding="zstd"')
    expect(counted).toBeGreaterThan(400)
    expect(metricSum(page, 'sluice_compress_input_bytes_total')).toBeGreaterThan(
      metricSum(page, 'sluice_compress_output_bytes_total', 'coding="br"'),
    )
  }, 120_000)
})
