// cli/version.ts: the version, which stands in package.json and nowhere else.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export function readVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
