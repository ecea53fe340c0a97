// workers/log-rotation.ts: old files of the operations log: named after their time, compressed, removed.
//
// Owner:  the sink of workers/operations-log.ts, in the supervisor. Hot: no. Names and defaults are those of
//         Traefik: sluice.log becomes sluice-2026-01-02T03-04-05.678.log, and .gz is added when it is compressed.
//
// A file is renamed in the moment in which it is full; everything else is done after that, one file at a time and
// beside the event loop, and again at the next rotation when it could not be done.

import { createReadStream, createWriteStream, existsSync, renameSync, statSync } from 'node:fs'
import { readdir, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

export interface RotationOptions {
  readonly maxSize?: number // MiB; 0: SIZE_DEFAULT_MB
  readonly maxAge?: number // days; 0: whatever their age
  readonly maxBackups?: number // 0: however many
  readonly compress?: boolean
}

const SIZE_DEFAULT_MB = 100
const MIB = 1024 * 1024
const DAY_MS = 24 * 3600 * 1000
const FILES_PER_PASS_MAX = 1000 // that are removed or compressed; the next pass takes the rest
const PART = '.part' // compressed in part: what a process that ended has left

interface Backup {
  readonly name: string // without .gz
  readonly compressed: boolean
  readonly at: number // ms since the epoch
}

export class Rotation {
  readonly bytesMax: number
  private readonly path: string
  private readonly options: RotationOptions
  private readonly now: () => number
  private cleaning: Promise<void> | null = null
  private again = false
  private ending = false

  constructor(path: string, options: RotationOptions, now: () => number = Date.now) {
    this.path = path
    this.options = options
    this.now = now
    this.bytesMax = (options.maxSize || SIZE_DEFAULT_MB) * MIB
  }

  // Bytes that the file holds already.
  sizeNow(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
  }

  // Throws when the file can't be renamed.
  moveAway(): void {
    let at = this.now()
    while (existsSync(this.backupPath(at)) || existsSync(`${this.backupPath(at)}.gz`)) at++
    renameSync(this.path, this.backupPath(at))
  }

  // What is too old or too many goes, the rest is compressed. Never fails: there is a next time.
  clean(): void {
    this.again = this.cleaning !== null
    this.cleaning ??= this.pass()
      .catch(() => undefined)
      .finally(() => {
        this.cleaning = null
        if (this.again) this.clean()
      })
  }

  // Resolves when nothing is under way; a file that is being compressed is finished, and no other is begun.
  async end(): Promise<void> {
    this.ending = true
    this.again = false
    await this.cleaning
  }

  private backupPath(at: number): string {
    const extension = extname(this.path)
    const stem = this.path.slice(0, this.path.length - extension.length)
    const time = new Date(at).toISOString().slice(0, 23).replaceAll(':', '-')
    return `${stem}-${time}${extension}`
  }

  private async pass(): Promise<void> {
    const folder = dirname(this.path)
    const backups: Backup[] = []
    for (const name of await readdir(folder)) {
      if (name.endsWith(PART) && this.read(name.slice(0, -PART.length)) !== null)
        await unlink(join(folder, name))
      const backup = this.read(name)
      if (backup !== null) backups.push(backup)
    }
    backups.sort((a, b) => b.at - a.at) // the newest first
    const { maxAge = 0, maxBackups = 0, compress = false } = this.options
    const oldest = maxAge > 0 ? this.now() - maxAge * DAY_MS : -Infinity
    const kept = maxBackups > 0 ? maxBackups : Infinity
    const isKept = (backup: Backup, at: number): boolean => at < kept && backup.at >= oldest
    const work = backups.map((backup, at) => {
      const path = join(folder, backup.name)
      if (!isKept(backup, at)) return () => unlink(backup.compressed ? `${path}.gz` : path)
      return compress && !backup.compressed ? () => pack(path) : null
    })
    for (const step of work.filter((one) => one !== null).slice(0, FILES_PER_PASS_MAX)) {
      if (this.ending) return
      await step()
    }
  }

  // 'sluice-2026-01-02T03-04-05.678.log.gz'; null: not one of ours.
  private read(name: string): Backup | null {
    const compressed = name.endsWith('.gz')
    const plain = compressed ? name.slice(0, -3) : name
    const extension = extname(this.path)
    const stem = basename(this.path, extension) + '-'
    if (!plain.startsWith(stem) || !plain.endsWith(extension)) return null
    const time = plain.slice(stem.length, plain.length - extension.length)
    const match = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(time)
    if (match === null) return null
    const at = Date.parse(`${match[1]}T${match[2]}:${match[3]}:${match[4]}Z`)
    return Number.isNaN(at) ? null : { name: plain, compressed, at }
  }
}

// Beside, and then renamed: a file that has its name is whole.
async function pack(path: string): Promise<void> {
  const part = `${path}.gz${PART}`
  const { mode } = await stat(path)
  await pipeline(createReadStream(path), createGzip(), createWriteStream(part, { mode }))
  await rename(part, `${path}.gz`)
  await unlink(path)
}
