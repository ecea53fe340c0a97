// config/static/buffering.ts: where bodies go that a buffering middleware does not hold in memory. Ours; Traefik takes the
// system's temporary folder, without a bound. Hot: no.

import { accessSync, constants, statSync } from 'node:fs'
import { bytes } from '../schema.ts'
import { block, extension, text } from './blocks.ts'

const DISK_BYTES_MAX = 1024 * 1024 * 1024

export const buffering = extension(
  block({
    directory: extension(
      text(),
      'folder of files without a name; the default is the temporary folder of the system',
    ),
    diskBytesMax: extension(
      bytes.default(DISK_BYTES_MAX),
      'all those files together, for all workers; 0: no files, long bodies stream',
    ),
  }),
  'files for bodies that are longer than a buffering middleware holds in memory',
)

// '' when files can be made there. A start that would refuse every long request later is refused now.
export function folderFault(directory: string): string {
  try {
    if (!statSync(directory).isDirectory()) return `${directory} is not a folder`
    accessSync(directory, constants.W_OK | constants.X_OK)
    return ''
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    return `no file can be made in ${directory} (${code})`
  }
}
