// certificates/storage/file.ts: acme.json on disk, for the gateways of one machine.
//
// Owner:  the manager has one per path. Hot: no. The file holds private keys: it is made with mode 0600, and one
//         that others may read is refused, as in Traefik.
//
// Written beside and renamed, so no reader ever sees half a file. A file that is itself a mount of a container can't
// be replaced (EBUSY), nor one in a folder that we may not write: those are overwritten in place.

import { randomUUID } from 'node:crypto'
import { open, readFile, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { blockIn, parseDocument } from './acme-json.ts'
import { type Block, type CertificateStore, LEASE_MS, type Lease, StoreError } from './contract.ts'

const BYTES_MAX = 64 * 1024 * 1024
const IN_PLACE = new Set(['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS'])
const NO_LOCKS_HERE = new Set(['EACCES', 'EPERM', 'EROFS'])

export class FileStore implements CertificateStore {
  readonly name: string
  readonly isShared = false
  readonly challenges = null
  private readonly path: string
  private readonly lockPath: string
  private readonly token = randomUUID()
  private holders = 0 // resolvers of this process that hold the lock of the file
  private lockless = false // the folder is not ours to write: a single gateway, then
  private writing: Promise<void> = Promise.resolve()

  constructor(path: string) {
    this.path = path
    this.name = `the file ${path}`
    this.lockPath = `${path}.lock`
  }

  async read(resolver: string): Promise<Block> {
    return blockIn(await this.document(), resolver)
  }

  private async document(): Promise<Readonly<Record<string, unknown>>> {
    const facts = await stat(this.path).catch(orMissing)
    if (facts === null) return {}
    if (!facts.isFile()) throw new StoreError(`${this.name} is not a file`)
    const mode = facts.mode & 0o777
    if ((mode & 0o077) !== 0)
      throw new StoreError(`${this.name} has mode ${mode.toString(8)}: others may read it; set 600`)
    if (facts.size > BYTES_MAX)
      throw new StoreError(`${this.name} is longer than ${BYTES_MAX} bytes`)
    return parseDocument(await readFile(this.path, 'utf8'), this.name)
  }

  async acquire(resolver: string): Promise<Lease | null> {
    const lease = { resolver, token: this.token }
    if (this.holders === 0 && !(await this.lock())) return null
    this.holders++
    return lease
  }

  private async lock(): Promise<boolean> {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        await writeFile(this.lockPath, this.token, { flag: 'wx', mode: 0o600 })
        return true
      } catch (fault) {
        if (NO_LOCKS_HERE.has(codeOf(fault))) return (this.lockless = true)
        if (codeOf(fault) !== 'EEXIST') throw fault
      }
      const facts = await stat(this.lockPath).catch(orMissing)
      if (facts !== null && Date.now() - facts.mtimeMs < LEASE_MS) return this.holdsLock()
      await unlink(this.lockPath).catch(orMissing) // whoever made it has died
    }
    return false
  }

  private async holdsLock(): Promise<boolean> {
    if (this.lockless) return true
    return (await readFile(this.lockPath, 'utf8').catch(orMissing)) === this.token
  }

  async renew(_lease: Lease): Promise<boolean> {
    if (!(await this.holdsLock())) return false
    if (!this.lockless) await utimes(this.lockPath, new Date(), new Date())
    return true
  }

  write(lease: Lease, change: (block: Block) => Block): Promise<void> {
    const next = this.writing.then(() => this.writeNow(lease, change))
    this.writing = next.catch(() => {})
    return next
  }

  private async writeNow(lease: Lease, change: (block: Block) => Block): Promise<void> {
    if (!(await this.holdsLock())) throw new StoreError(`${this.name}: the lock was lost`)
    const document = await this.document()
    const next = { ...document, [lease.resolver]: change(blockIn(document, lease.resolver)) }
    await this.replace(`${JSON.stringify(next, null, 2)}\n`)
  }

  private async replace(text: string): Promise<void> {
    const beside = `${this.path}.${process.pid}.new`
    try {
      await writeSynced(beside, text, 'wx')
      await rename(beside, this.path)
      await syncFolder(dirname(this.path))
    } catch (fault) {
      await unlink(beside).catch(() => {})
      if (!IN_PLACE.has(codeOf(fault))) throw fault
      await writeSynced(this.path, text, 'w')
    }
  }

  async release(_lease: Lease): Promise<void> {
    this.holders = Math.max(0, this.holders - 1)
    if (this.holders > 0 || this.lockless || !(await this.holdsLock())) return
    await unlink(this.lockPath).catch(orMissing)
  }

  async close(): Promise<void> {
    await this.writing
  }
}

async function writeSynced(path: string, text: string, flags: string): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

// The rename itself must reach the disk too.
async function syncFolder(path: string): Promise<void> {
  const folder = await open(join(path, '.'), 'r').catch(() => null)
  await folder?.sync().catch(() => {})
  await folder?.close()
}

function codeOf(fault: unknown): string {
  return (fault as NodeJS.ErrnoException).code ?? ''
}

function orMissing(fault: unknown): null {
  if (codeOf(fault) === 'ENOENT') return null
  throw fault
}
