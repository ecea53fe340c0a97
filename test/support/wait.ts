// test/support/wait.ts: waits for conditions. Whoever changes what a condition looks at calls look().

const WITHIN_MS = 30_000 // only a hang takes that long, on a busy machine too

interface Waiting {
  readonly isThere: () => boolean
  readonly done: (fault: unknown) => void
}

export class Wait {
  private readonly waiting = new Set<Waiting>()

  until(isThere: () => boolean, describe: () => string, withinMs = WITHIN_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(entry)
        reject(new Error(`not within ${withinMs} ms: ${describe()}`))
      }, withinMs)
      const entry: Waiting = {
        isThere,
        done: (fault) => {
          clearTimeout(timer)
          this.waiting.delete(entry)
          if (fault === null) resolve()
          else reject(fault)
        },
      }
      this.waiting.add(entry)
      lookAt(entry)
    })
  }

  look(): void {
    for (const entry of this.waiting) lookAt(entry)
  }
}

function lookAt(entry: Waiting): void {
  try {
    if (entry.isThere()) entry.done(null)
  } catch (fault) {
    entry.done(fault)
  }
}

// For conditions that nobody announces: asks again and again.
export async function eventually(
  what: string,
  isThere: () => boolean | Promise<boolean>,
  withinMs = WITHIN_MS,
): Promise<void> {
  const until = performance.now() + withinMs
  while (!(await isThere())) {
    if (performance.now() > until) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const STILL_LOOKS = 15 // of eventually(), 20 ms each at the least

// A figure that has begun to grow, such as bytes that a peer could send, does so no longer.
export async function untilStill(
  what: string,
  figure: () => number | Promise<number>,
): Promise<void> {
  let before = 0
  let same = 0
  await eventually(`${what} to stand still`, async () => {
    const now = await figure()
    same = now === before && now > 0 ? same + 1 : 0
    before = now
    return same >= STILL_LOOKS
  })
}
