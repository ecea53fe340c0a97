// config/providers/file-read.ts: the documents of a file or a directory, and the last good one of each file.
//
// A file that cannot be read, rendered or parsed keeps the content that it had: half a file, or a typing
// error, never takes routes away. Only a file that is gone from its directory takes its routes with it.
// Owner: one FileProvider. Hot: no.

import type { Dirent } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import {
  ConfigError,
  decodeUtf8Strict,
  fileBytesMax,
  parseLocated,
  type Located,
  type Problem,
} from '../located.ts'
import { isTemplate, renderTemplate, type Environment } from './template.ts'

const filesMax = 10_000
const depthMax = 20
const totalBytesMax = 256 * 1024 * 1024
const extensions = new Set(['.yml', '.yaml', '.toml'])

interface Known {
  bytes: Buffer
  doc: Located | null // the last good one
  problems: readonly Problem[]
}

export interface ReadOutcome {
  readonly docs: readonly Located[]
  readonly problems: readonly Problem[]
  readonly folders: readonly string[] // that were listed
  readonly links: readonly string[] // files that are links: what they lead to is watched too
  readonly again: boolean // something was being written: read once more, later
  readonly missing: boolean // what should be read is not there
}

interface Listing {
  readonly files: string[]
  readonly folders: string[]
  readonly links: string[]
  readonly unreadable: string[] // folders that could not be listed just now
  readonly problems: Problem[]
}

function newListing(): Listing {
  return { files: [], folders: [], links: [], unreadable: [], problems: [] }
}

export function fileProblem(
  file: string,
  code: string,
  message: string,
  severity: Problem['severity'] = 'error',
): Problem {
  return { severity, code, file, line: 0, column: 0, path: '', message, suggestion: '' }
}

export class FileReader {
  private readonly environment: Environment
  private readonly known = new Map<string, Known>()
  private readonly emptied = new Map<string, number>() // when a file was first found empty
  private readonly confirmEmptyMs: number
  private again = false
  private listing: Listing = newListing()
  private totalBytes = 0

  constructor(environment: Environment, confirmEmptyMs: number) {
    this.environment = environment
    this.confirmEmptyMs = confirmEmptyMs
  }

  async readFile(file: string): Promise<ReadOutcome> {
    this.begin()
    if (!extensions.has(extname(file).toLowerCase())) {
      const message = `the name must end in ${[...extensions].join(', ')}`
      this.listing.problems.push(fileProblem(file, 'CONFIG_FILE_NAME', message))
      return this.outcome(false)
    }
    this.listing.links.push(file) // it may be one, or stand behind one
    const missing = !(await this.update(file))
    if (missing) {
      this.listing.problems.push(fileProblem(file, 'CONFIG_FILE_MISSING', this.missingText(file)))
    }
    return this.outcome(missing)
  }

  private missingText(file: string): string {
    const kept = (this.known.get(file)?.doc ?? null) !== null
    return kept ? 'the file is gone; its last good content stays in use' : 'the file does not exist'
  }

  async readFolder(folder: string): Promise<ReadOutcome> {
    this.begin()
    const { files, folders, problems, unreadable } = this.listing
    await this.list(folder, 0)
    if (!folders.includes(folder)) {
      const kept = this.known.size > 0 ? '; what was read last stays in use' : ''
      problems.push(fileProblem(folder, 'CONFIG_FILE_MISSING', `cannot be listed${kept}`))
      return this.outcome(true)
    }
    const present = new Set<string>()
    for (const file of files) if (await this.update(file)) present.add(file)
    for (const file of this.known.keys()) {
      const isHidden = unreadable.some((hidden) => file.startsWith(hidden + sep))
      if (!present.has(file) && !isHidden) this.known.delete(file)
    }
    return this.outcome(false)
  }

  private begin(): void {
    this.again = false
    this.totalBytes = 0
    this.listing = newListing()
  }

  private outcome(missing: boolean): ReadOutcome {
    const { folders, links, problems } = this.listing
    const states = [...this.known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, state]) => state)
    const docs = states.flatMap((state) => (state.doc === null ? [] : [state.doc]))
    const all = [...problems, ...states.flatMap((state) => state.problems)]
    return { docs, problems: all, folders, links, again: this.again, missing }
  }

  // Names that begin with a dot are skipped: editors' files, and the dated folders that Kubernetes keeps
  // behind "..data". Links to folders are not followed, so there are no circles.
  private async list(folder: string, depth: number): Promise<void> {
    const { files, folders, links, unreadable, problems } = this.listing
    let entries: Dirent[]
    try {
      entries = await readdir(folder, { withFileTypes: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' || depth === 0) return
      unreadable.push(folder)
      const message = 'cannot be listed; what was read last stays in use'
      problems.push(fileProblem(folder, 'CONFIG_FILE_READ', message))
      return
    }
    folders.push(folder)
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (depth < depthMax) await this.list(path, depth + 1)
        else problems.push(fileProblem(path, 'CONFIG_TOO_DEEP', 'is nested too deeply; not read'))
      } else if (extensions.has(extname(entry.name).toLowerCase())) {
        if (files.length >= filesMax) {
          const message = `more than ${filesMax} files; the rest is not read`
          problems.push(fileProblem(folder, 'CONFIG_TOO_MANY', message))
          return
        }
        files.push(path)
        if (entry.isSymbolicLink()) links.push(path)
      }
    }
  }

  // False when the file is not there. Content that did not change keeps its document, so that nothing
  // behind it is done anew.
  private async update(file: string): Promise<boolean> {
    const before = this.known.get(file)
    let bytes: Buffer | null
    try {
      bytes = await readWhole(file)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return false
      this.keep(file, before, [fileProblem(file, 'CONFIG_FILE_READ', `cannot be read: ${code}`)])
      return true
    }
    if (bytes === null || this.isSuspiciouslyEmpty(file, bytes, before)) {
      this.again = true
      if (before === undefined) this.keep(file, before, [])
      return true
    }
    this.totalBytes += bytes.length
    if (this.totalBytes > totalBytesMax) {
      this.keep(file, before, [
        fileProblem(file, 'CONFIG_TOO_LARGE', 'all files are above 256 MiB'),
      ])
    } else if (before === undefined || !before.bytes.equals(bytes)) this.parse(file, bytes, before)
    return true
  }

  // Many programs truncate a file before they write it. It counts as empty once it has
  // stayed so for a while.
  private isSuspiciouslyEmpty(file: string, bytes: Buffer, before: Known | undefined): boolean {
    if (bytes.length > 0 || before === undefined || before.bytes.length === 0) {
      this.emptied.delete(file)
      return false
    }
    const since = this.emptied.get(file)
    if (since === undefined) this.emptied.set(file, performance.now())
    else if (performance.now() - since >= this.confirmEmptyMs) return !this.emptied.delete(file)
    return true
  }

  private keep(file: string, before: Known | undefined, problems: readonly Problem[]): void {
    const empty = Buffer.alloc(0)
    this.known.set(file, { bytes: empty, doc: before?.doc ?? null, problems })
  }

  private parse(file: string, bytes: Buffer, before: Known | undefined): void {
    try {
      const text = decodeUtf8Strict(bytes, file)
      const doc = isTemplate(text) ? this.parseRendered(text, file) : parseLocated(text, file)
      this.known.set(file, { bytes, doc, problems: [] })
    } catch (error) {
      // Whatever a file does to a parser, it must not end the process.
      const found = error instanceof ConfigError ? error.problems : [internalProblem(file, error)]
      const doc = before?.doc ?? null
      const note = doc === null ? '' : '; the last good content of the file stays in use'
      const problems = found.map((problem) => ({
        ...problem,
        message: problem.message + note,
      }))
      this.known.set(file, { bytes, doc, problems })
    }
  }

  // Lines of a rendered file are not those that the user sees; the name says so.
  private parseRendered(text: string, file: string): Located {
    const rendered = renderTemplate(text, file, this.environment)
    const named = `${file} (lines of the rendered template)`
    try {
      return { ...parseLocated(rendered, file), file: named }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      throw new ConfigError(error.problems.map((problem) => ({ ...problem, file: named })))
    }
  }
}

function internalProblem(file: string, error: unknown): Problem {
  const reason = error instanceof Error ? error.message : String(error)
  return fileProblem(file, 'CONFIG_INTERNAL', `cannot be parsed: ${reason.slice(0, 200)}`)
}

// Null when the file changed while it was read.
async function readWhole(file: string): Promise<Buffer | null> {
  const handle = await open(file, 'r')
  try {
    const before = await handle.stat({ bigint: true })
    if (!before.isFile()) throw Object.assign(new Error('not a file'), { code: 'not a plain file' })
    const size = Number(before.size)
    if (size > fileBytesMax) throw Object.assign(new Error('size'), { code: 'larger than 16 MiB' })
    const bytes = Buffer.alloc(size + 1) // one more, to notice that it grew
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    const after = await handle.stat({ bigint: true })
    const same = after.size === before.size && after.mtimeNs === before.mtimeNs && length === size
    return same ? bytes.subarray(0, length) : null
  } finally {
    await handle.close()
  }
}
