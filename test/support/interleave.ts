// test/support/interleave.ts: two threads on one piece of shared memory, as one thread can have them: the other one does all of
// its work between any two steps of the first.

const { load, store, compareExchange } = Atomics
const atomics = { load, store, compareExchange }

// Runs `other` before the `at`th atomic operation of `one`. False: there are fewer.
export function interleave(at: number, one: () => void, other: () => void): boolean {
  let step = 0
  const restore = (): void => void Object.assign(Atomics, atomics)
  for (const [name, original] of Object.entries(atomics)) {
    const counting = (...given: unknown[]): unknown => {
      if (step++ === at) {
        restore()
        other()
      }
      return (original as (...given: unknown[]) => unknown)(...given)
    }
    Object.assign(Atomics, { [name]: counting })
  }
  try {
    one()
  } finally {
    restore()
  }
  return step > at
}
