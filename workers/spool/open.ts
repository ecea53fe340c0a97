// workers/spool/open.ts: files without a name: whatever becomes of the process, the kernel takes them away with it.
//
// Hot: no, once per file. O_TMPFILE where the file system has it (ext4, xfs, btrfs, tmpfs); else a file that is unlinked
// as soon as it is open, which a crash within the two calls would leave behind, empty.

import { constants, open, unlink } from 'node:fs'
import { join } from 'node:path'
import { cryptoModule } from '../builtins.ts'

// Node has no name for it. The bit is the same on all platforms, O_DIRECTORY is not.
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY
const MODE = 0o600
const unsupported: ReadonlySet<string | undefined> = new Set(['EOPNOTSUPP', 'EISDIR', 'EINVAL'])

type Opened = (error: NodeJS.ErrnoException | null, descriptor: number) => void // -1 with an error

// O_EXCL: nobody can give it a name later.
export function openUnnamed(directory: string, done: Opened): void {
  const flags = O_TMPFILE | constants.O_RDWR | constants.O_EXCL
  open(directory, flags, MODE, (error, descriptor) => {
    if (error === null) done(null, descriptor)
    else if (unsupported.has(error.code)) openAndUnlink(directory, done)
    else done(error, -1)
  })
}

export function openAndUnlink(directory: string, done: Opened): void {
  const name = `.sluice-${process.pid}-${cryptoModule().randomBytes(12).toString('hex')}`
  const path = join(directory, name)
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  open(path, flags, MODE, (error, descriptor) => {
    if (error !== null) return done(error, -1)
    unlink(path, (left) => done(left, descriptor))
  })
}
