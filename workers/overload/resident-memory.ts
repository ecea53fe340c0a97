// workers/overload/resident-memory.ts: how much memory the process takes, known even when it has no descriptor left.
//
// process.memoryUsage() opens /proc at every call and throws EMFILE when it can't: a supervisor that asked it died of what it
// was there to survive. So the file is opened once, at the start, and read again from its beginning.

import { openSync, readSync } from 'node:fs'

export class ResidentMemory {
  private readonly descriptor = openStatus() // -1: no such file on this system
  private readonly text = Buffer.alloc(4096)
  private bytes = 0

  // Bytes; what was read last where reading fails.
  read(): number {
    try {
      this.bytes = this.descriptor < 0 ? process.memoryUsage.rss() : this.readStatus()
    } catch {
      // The next look, a quarter of a second later, tries again.
    }
    return this.bytes
  }

  private readStatus(): number {
    const length = readSync(this.descriptor, this.text, 0, this.text.length, 0)
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(this.text.latin1Slice(0, length))
    return match === null ? this.bytes : Number(match[1]) * 1024
  }
}

function openStatus(): number {
  try {
    return openSync('/proc/self/status', 'r')
  } catch {
    return -1
  }
}
