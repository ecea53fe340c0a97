// bench/http.ts: the few requests that the harness itself sends: is it up, what do its metrics say.

import http from 'node:http'
import https from 'node:https'
import type { Child } from './children.ts'
import { logTailOf } from './children.ts'

export interface Answer {
  readonly status: number
  readonly body: string
}

const POLL_MS = 2

// A connection of its own each time: a kept one would be counted as load.
export function get(
  port: number,
  target: string,
  host = 'localhost',
  isSecure = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: target, agent: false as const, timeout: 5000 }
    const request = (isSecure ? https : http).get(
      { ...options, headers: { host }, rejectUnauthorized: false },
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
  isSecure = false,
): Promise<void> {
  await waitUntil(child, timeoutMs, target, async () => {
    const answer = await get(port, target, host, isSecure)
    if (answer.status !== status) throw new Error(`status ${answer.status}`)
  })
}

// Until an attempt no longer throws. Each must end by itself within a few seconds.
export async function waitUntil(
  child: Child,
  timeoutMs: number,
  what: string,
  attempt: () => Promise<void>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let last = 'no answer'
  while (performance.now() < deadline) {
    if (child.hasEnded()) throw new Error(`ended before it answered: ${logTailOf(child)}`)
    try {
      await attempt()
      return
    } catch (error) {
      last = error instanceof Error ? error.message : String(error)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`not ready on ${what} after ${timeoutMs} ms (${last}): ${logTailOf(child)}`)
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
