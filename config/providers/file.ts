// config/providers/file.ts: routing configuration from a file or a directory, kept up to date.
//
//   change seen -> quiet for debounceMs (at most debounceMaxMs after the first) -> read -> changed?
//     -> onUpdate, not more often than once in throttleMs
//
// One read at a time; a change during a read leads to another one. Owner: the supervisor. Hot: no.

import { realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { timerMs } from '../../core/timer-ms.ts'
import type { Located, Problem } from '../located.ts'
import { FileReader, type ReadOutcome } from './file-read.ts'
import { FolderWatch } from './file-watch.ts'
import type { Environment } from './template.ts'

export interface FileOptions {
  readonly filename: string // one of the two is ''
  readonly directory: string
  readonly watch: boolean
  readonly throttleMs: number // providers.providersThrottleDuration
  readonly environment: Environment
  readonly debounceMs?: number
  readonly debounceMaxMs?: number
  readonly pollMs?: number // while something is missing or cannot be watched
}

export type OnUpdate = (docs: readonly Located[], problems: readonly Problem[]) => void

export class FileProvider {
  private readonly options: FileOptions
  private readonly onUpdate: OnUpdate
  private readonly reader: FileReader
  private readonly folders = new FolderWatch(() => this.onChange())
  private closed = false
  private reading = false
  private dirty = false // changed while reading
  private firstChangeAt = 0 // 0: nothing is waiting to be read
  private readTimer: NodeJS.Timeout | null = null
  private updateTimer: NodeJS.Timeout | null = null
  private updatedAt = 0
  private latest: ReadOutcome | null = null
  private told: ReadOutcome | null = null // what onUpdate was last called with

  constructor(options: FileOptions, onUpdate: OnUpdate) {
    if ((options.filename === '') === (options.directory === '')) {
      throw new Error('the file provider needs either a filename or a directory')
    }
    this.options = options
    this.onUpdate = onUpdate
    this.reader = new FileReader(options.environment, options.debounceMaxMs ?? 1000)
  }

  // Reads once and calls onUpdate before it returns, whatever was found.
  async start(): Promise<void> {
    await this.read()
  }

  close(): void {
    this.closed = true
    if (this.readTimer !== null) clearTimeout(this.readTimer)
    if (this.updateTimer !== null) clearTimeout(this.updateTimer)
    this.folders.close()
  }

  private onChange(): void {
    if (this.closed) return
    if (this.reading) {
      this.dirty = true
      return
    }
    const { debounceMs = 150, debounceMaxMs = 1000 } = this.options
    const now = performance.now()
    if (this.firstChangeAt === 0) this.firstChangeAt = now
    const latest = this.firstChangeAt + debounceMaxMs
    this.readAfter(Math.max(0, Math.min(debounceMs, latest - now)))
  }

  private readAfter(delayMs: number): void {
    if (this.readTimer !== null) clearTimeout(this.readTimer)
    this.readTimer = setTimeout(() => void this.read(), timerMs(delayMs))
  }

  private async read(): Promise<void> {
    this.readTimer = null
    this.firstChangeAt = 0
    this.reading = true
    // Watched before reading: what changes after the first byte was read is seen.
    const { filename, directory, watch, pollMs = 1000, debounceMaxMs = 1000 } = this.options
    let whole = watch ? this.folders.set(await this.foldersToWatch(this.latest)) : true
    const outcome =
      filename === ''
        ? await this.reader.readFolder(directory)
        : await this.reader.readFile(filename)
    if (this.closed) return
    if (watch) whole = this.folders.set(await this.foldersToWatch(outcome)) && whole
    this.reading = false
    if (this.closed) return
    this.offer(outcome)
    if (!watch) {
      if (outcome.again) this.readAfter(debounceMaxMs)
    } else if (this.dirty || this.hasNewFolders(outcome)) this.onChange()
    else if (outcome.again) this.readAfter(debounceMaxMs)
    else if (outcome.missing || !whole) this.readAfter(pollMs)
    this.dirty = false
  }

  private listed: ReadonlySet<string> = new Set()

  // A folder that appeared may have been filled before it was watched.
  private hasNewFolders(outcome: ReadOutcome): boolean {
    const before = this.listed
    this.listed = new Set(outcome.folders)
    return outcome.folders.some((folder) => !before.has(folder))
  }

  // Where the file stands, and where a link leads: either may change.
  private async foldersToWatch(outcome: ReadOutcome | null): Promise<Set<string>> {
    const { filename, directory } = this.options
    const folders = new Set(outcome?.folders ?? [])
    if (filename === '') folders.add(directory)
    else folders.add(dirname(filename))
    for (const file of outcome?.links ?? []) {
      const target = await realpath(file).catch(() => '')
      if (target !== '') folders.add(dirname(target))
    }
    return folders
  }

  private offer(outcome: ReadOutcome): void {
    this.latest = outcome
    if (this.told !== null && isSame(this.told, outcome)) {
      if (this.updateTimer !== null) clearTimeout(this.updateTimer)
      this.updateTimer = null
      return
    }
    const wait = this.updatedAt + this.options.throttleMs - performance.now()
    if (this.told === null || wait <= 0) this.update()
    else this.updateTimer ??= setTimeout(() => this.update(), timerMs(wait))
  }

  private update(): void {
    if (this.updateTimer !== null) clearTimeout(this.updateTimer)
    this.updateTimer = null
    const outcome = this.latest
    if (this.closed || outcome === null) return
    this.told = outcome
    this.updatedAt = performance.now()
    this.onUpdate(outcome.docs, outcome.problems)
  }
}

function isSame(one: ReadOutcome, other: ReadOutcome): boolean {
  if (one.docs.length !== other.docs.length || one.problems.length !== other.problems.length) {
    return false
  }
  if (!one.docs.every((doc, at) => doc === other.docs[at])) return false
  return JSON.stringify(one.problems) === JSON.stringify(other.problems)
}
