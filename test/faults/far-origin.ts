// test/faults/far-origin.ts: origin-process.ts, started and ended.

import { fork } from 'node:child_process'
import path from 'node:path'

export interface FarOrigin {
  readonly url: string
  stop(): void
}

export function startFarOrigin(): Promise<FarOrigin> {
  const { promise, resolve, reject } = Promise.withResolvers<FarOrigin>()
  const child = fork(path.join(import.meta.dirname, 'origin-process.ts'))
  child.once('error', reject)
  child.once('exit', (code) => reject(new Error(`the origin ended: ${code}`)))
  child.once('message', ({ port }: { port: number }) =>
    resolve({ url: `http://127.0.0.1:${port}`, stop: () => child.disconnect() }),
  )
  return promise
}
