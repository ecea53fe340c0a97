// certificates/storage/open.ts: the store that a resolver's `storage` names: a path, or the URL of a shared one.
// Hot: no.

import type { CertificateStore } from './contract.ts'
import { FileStore } from './file.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export function openStore(place: string, _environment: Environment): CertificateStore {
  return new FileStore(place)
}
