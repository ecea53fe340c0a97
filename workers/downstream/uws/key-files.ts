// workers/downstream/uws/key-files.ts: certificate and key as files, for as long as uWebSockets.js reads them.
//
// It takes paths alone. So this is the one place where a worker writes files: in memory where there is /dev/shm,
// readable by this user alone, and gone when the call returns. No reader but our own call ever needs the names.
// Hot: no.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyPair } from '../../tls/live-tls.ts'
import type { SecureOptions } from './binding.ts'

const IN_MEMORY = '/dev/shm'
const OWNER_ONLY = 0o600

// `pair` null: no certificate at all, and so a handshake that is refused.
export function withKeyFiles<Result>(
  pair: KeyPair | null,
  use: (files: SecureOptions) => Result,
): Result {
  if (pair === null) return use({})
  const folder = makeFolder()
  try {
    const cert = join(folder, 'cert.pem')
    const key = join(folder, 'key.pem')
    writeFileSync(cert, pair.certPem, { mode: OWNER_ONLY, flag: 'wx' })
    writeFileSync(key, pair.keyPem, { mode: OWNER_ONLY, flag: 'wx' })
    return use({ cert_file_name: cert, key_file_name: key })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

// mkdtemp makes folders of mode 0700, whatever the umask.
function makeFolder(): string {
  try {
    return mkdtempSync(join(IN_MEMORY, 'sluice-'))
  } catch {
    return mkdtempSync(join(tmpdir(), 'sluice-')) // no Linux, or not writable here
  }
}
