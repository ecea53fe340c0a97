// workers/downstream/uws/descriptor.ts: what uWebSockets.js can't set on its listening sockets, set from outside.
//
// It gives no access to the descriptor, so it is looked up by the port in /proc (Linux; elsewhere nothing is
// set, and the bounds of UwsDownstream hold alone). Other workers listen on the same port: what came up while
// this one began to listen is its own. When two began in the same millisecond both take both, which costs
// nothing but this: a socket that another's child still holds is closed only when that child ends.
// Hot: no.

import { spawn } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('./descriptor-child.ts', import.meta.url))
const CHILD_MS_MAX = 5000
const DESCRIPTORS_MAX = 64 // of workers that began at once
const LISTENING = '0A'

export type SocketOption = 'receive-buffer' | 'backlog'

// Descriptors of this process that listen on the TCP port.
export function listeningDescriptors(port: number): number[] {
  try {
    const inodes = new Set([...inodesOf('/proc/self/net/tcp', port), ...inodesOf6(port)])
    if (inodes.size === 0) return []
    return readdirSync('/proc/self/fd')
      .map(Number)
      .filter((descriptor) => inodes.has(inodeOf(descriptor)))
  } catch {
    return [] // no Linux, or /proc is not readable here
  }
}

function inodesOf6(port: number): string[] {
  try {
    return inodesOf('/proc/self/net/tcp6', port)
  } catch {
    return [] // a kernel without IPv6
  }
}

// "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 12628019 ..."
function inodesOf(table: string, port: number): string[] {
  const wanted = ':' + port.toString(16).toUpperCase().padStart(4, '0')
  return readFileSync(table, 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENING && fields[1]!.endsWith(wanted))
    .map((fields) => fields[9] ?? '')
}

function inodeOf(descriptor: number): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1] ?? '-'
  } catch {
    return '-' // closed meanwhile
  }
}

// True: set on all of them. Never rejects.
export function setOnSockets(
  descriptors: readonly number[],
  option: SocketOption,
  figure: number,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  if (descriptors.length === 0 || descriptors.length > DESCRIPTORS_MAX)
    return Promise.resolve(false)
  const words = [CHILD, option, String(figure), String(descriptors.length)]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...words], {
    stdio: ['ignore', 'ignore', 'ignore', ...descriptors],
    env: { ...process.env, NODE_OPTIONS: '' },
    timeout: CHILD_MS_MAX,
  })
  child.once('error', () => resolve(false))
  child.once('exit', (code) => resolve(code === 0))
  return promise
}
