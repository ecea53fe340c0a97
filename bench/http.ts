// bench/http.ts: the few requests that the harness itself sends: is it up, what do its metrics say.

import http from 'node:http'
import type { Child } from './children.ts'
import { logTailOf } from './children.ts'

export interface Answer {
  readonly status: number
  readonly body: string
}

const POLL_MS = 2

// A connection of its own each time: a kept one would be counted as load.
export function get(port: number, target: string, host = 'localhost'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host: '127.0.0.1', port, path: target, agent: false, headers: { host }, timeout: 5000 },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      },
    )
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')))
    request.on('error', reject)
  })
}

export async function waitForStatus(
  child: Child,
  port: number,
  target: string,
  status: number,
  timeoutMs = 15_000,
  host = 'localhost',
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let last = 'no answer'
  while (performance.now() < deadline) {
    if (child.hasEnded()) throw new Error(`ended before it answered: ${logTailOf(child)}`)
    try {
      const answer = await get(port, target, host)
      if (answer.status === status) return
      last = `status ${answer.status}`
    } catch (error) {
      last = error instanceof Error ? error.message : String(error)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`not ready on ${target} after ${timeoutMs} ms (${last}): ${logTailOf(child)}`)
}

// Sum, largest and count of a series in Prometheus text format, over all its label sets.
export function readSeries(
  text: string,
  name: string,
): { sum: number; max: number; count: number } {
  let sum = 0
  let max = Number.NEGATIVE_INFINITY
  let count = 0
  for (const line of text.split('\n')) {
    if (!line.startsWith(name)) continue
    const next = line.charAt(name.length)
    if (next !== ' ' && next !== '{') continue
    const value = Number(
      line
        .slice(next === '{' ? line.lastIndexOf('}') + 1 : name.length)
        .trim()
        .split(' ')[0],
    )
    sum += value
    max = Math.max(max, value)
    count++
  }
  return { sum, max, count }
}
