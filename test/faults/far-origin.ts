// test/faults/far-origin.ts: origin-process.ts, started and ended.

import { firstWord } from './child.ts'

export interface FarOrigin {
  readonly url: string
  stop(): void
}

export async function startFarOrigin(): Promise<FarOrigin> {
  const { message, child } = await firstWord<{ port: number }>('origin-process.ts')
  return { url: `http://127.0.0.1:${message.port}`, stop: () => child.disconnect() }
}
