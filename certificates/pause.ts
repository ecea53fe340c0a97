// certificates/pause.ts: waits that end early when the gateway ends. Hot: no.

import { setTimeout as sleep } from 'node:timers/promises'
import { timerMs } from '../core/timer-ms.ts'

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(timerMs(ms), undefined, { signal })
}

// Ends no later than `ms`, whatever the wait is for.
export async function within<T>(ms: number, what: string, wait: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms / 1000} s`)), timerMs(ms))
  })
  try {
    return await Promise.race([wait, late])
  } finally {
    clearTimeout(timer)
  }
}
