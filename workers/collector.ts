// workers/collector.ts: asks V8 for a full collection, where it has no reason of its own to begin one.
//
// Hot: no; it stops the thread that asks for as long as it takes: 20 ms for a heap of 20 MiB.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// V8's own function, which is there for contexts that are made while the flag is set. It stays set: flags are the process's, and
// another thread may be between these two lines.
export function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
