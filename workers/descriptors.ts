// workers/descriptors.ts: how many file descriptors the process may have, and who gets the last of them.
//
// Out of descriptors, libuv accepts and closes whatever comes, unseen by us. So the last few are not given to clients:
// a connection that gets one of them is refused, where it can be answered and counted. They also stay for what keeps
// the others alive: connections to servers, log files, the configuration.
//
// Owner:  the supervisor reads the limit, which may be changed from outside (prlimit), and workers compare.

import { readFileSync } from 'node:fs'

const RESERVED = 32 // workers accept at the same time, and each closes what it refuses at once
const RESERVED_PART = 8 // but no more than this part of a small limit

// 0: unknown on this system.
export function readDescriptorsMax(): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
    return match === null ? 0 : Math.min(Number(match[1]), 2 ** 31 - 1)
  } catch {
    return 0
  }
}

// The kernel gives the lowest number that is free, so a high one says that few are left.
export function isReserved(descriptor: number, max: number): boolean {
  return max > 0 && descriptor >= max - Math.min(RESERVED, Math.floor(max / RESERVED_PART))
}
