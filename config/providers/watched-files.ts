// config/providers/watched-files.ts: the files that a configuration names, kept in memory and watched.
//
//   folder changes -> quiet for quietMs (at most quietMaxMs) -> stat all -> some other than before -> onChange
//
// Owner: the configuration of a gateway. A pair of certificate and key is often replaced in two steps; while the
// two don't fit, or one is missing, the pair from before is given, with the fault. Reading is synchronous: the
// supervisor serves no requests. Hot: no.

import { realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { timerMs } from '../../core/timer-ms.ts'
import { isPem, readNamedFile, readPair } from '../named-files.ts'
import type { FileText, NamedFiles, Pair } from '../named-files.ts'
import { FolderWatch } from './file-watch.ts'

const quietMs = 50
const quietMaxMs = 300
const pollMs = 30_000 // for what inotify does not tell: network file systems, folders that appear later

interface KnownFile {
  readonly content: FileText
  readonly stamp: string
}

interface KnownPair {
  readonly pair: Pair
  readonly stamp: string
}

export class WatchedFiles implements NamedFiles {
  private readonly onChange: () => void
  private readonly folders = new FolderWatch(() => this.stir())
  private readonly files = new Map<string, KnownFile>()
  private readonly pairs = new Map<string, KnownPair>()
  private asked = new Set<string>() // paths and pairs of the compilation that is under way
  private closed = false
  private firstStirAt = 0 // 0: nothing has stirred
  private timer: NodeJS.Timeout | null = null
  private readonly poll: NodeJS.Timeout

  constructor(onChange: () => void) {
    this.onChange = onChange
    this.poll = setInterval(() => this.look(), timerMs(pollMs))
    this.poll.unref()
  }

  close(): void {
    this.closed = true
    this.folders.close()
    clearInterval(this.poll)
    if (this.timer !== null) clearTimeout(this.timer)
  }

  readonly read = (given: string): FileText => {
    if (isPem(given)) return { text: given, fault: '' }
    const path = resolve(given)
    this.asked.add(path)
    const known = this.files.get(path)
    if (known !== undefined) return known.content
    const stamp = stampOf(path) // before reading: what changes meanwhile has another one
    const content = readNamedFile(path)
    this.files.set(path, { content, stamp })
    return content
  }

  // Parsed once for as long as both files stay what they are.
  pair(certificate: string, key: string): Pair {
    const name = JSON.stringify([certificate, key])
    this.asked.add(name)
    this.read(certificate)
    this.read(key)
    const stamp = `${this.stampOfRead(certificate)} ${this.stampOfRead(key)}`
    const before = this.pairs.get(name)
    if (before !== undefined && before.stamp === stamp) return before.pair
    const now = readPair(this.read, certificate, key)
    const kept = now.plan === null ? (before?.pair.plan ?? null) : null
    const pair = kept === null ? now : { plan: kept, fault: now.fault }
    this.pairs.set(name, { pair, stamp })
    return pair
  }

  // After a compilation: forgets what it did not ask for and watches the rest.
  settle(): void {
    for (const path of this.files.keys()) if (!this.asked.has(path)) this.files.delete(path)
    for (const name of this.pairs.keys()) if (!this.asked.has(name)) this.pairs.delete(name)
    this.asked = new Set()
    this.folders.set(this.foldersToWatch())
    if (this.files.size > 0) this.stir() // for what changed between reading and watching
  }

  private stampOfRead(given: string): string {
    return isPem(given) ? '' : this.files.get(resolve(given))!.stamp
  }

  private stir(): void {
    if (this.closed) return
    const now = performance.now()
    if (this.firstStirAt === 0) this.firstStirAt = now
    if (this.timer !== null) clearTimeout(this.timer)
    const latest = this.firstStirAt + quietMaxMs
    this.timer = setTimeout(
      () => this.look(),
      timerMs(Math.max(0, Math.min(quietMs, latest - now))),
    )
  }

  private look(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.firstStirAt = 0
    let changed = false
    for (const [path, known] of this.files) {
      if (stampOf(path) === known.stamp) continue
      this.files.delete(path)
      changed = true
    }
    if (changed) this.onChange()
    else this.folders.set(this.foldersToWatch()) // a folder may have been replaced
  }

  // Where a path stands, and where its links lead: either may change.
  private foldersToWatch(): Set<string> {
    const folders = new Set<string>()
    for (const path of this.files.keys()) {
      folders.add(dirname(path))
      try {
        folders.add(dirname(realpathSync(path)))
      } catch {
        // not there yet: its own folder will tell
      }
    }
    return folders
  }
}

// A copy over the file in the same tick of the clock still has another ctime.
function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown'
  }
}
