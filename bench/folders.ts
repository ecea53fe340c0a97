// bench/folders.ts: where the bench reads and writes. Everything temporary lies in bench/.work, which
// git ignores; results are kept.

import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const benchFolder = path.dirname(fileURLToPath(import.meta.url))
export const repositoryFolder = path.dirname(benchFolder)
export const workFolder = path.join(benchFolder, '.work')
export const resultsFolder = path.join(benchFolder, 'results')
export const flamegraphsFolder = path.join(repositoryFolder, 'flamegraphs')

mkdirSync(workFolder, { recursive: true })
