// bench/folders.ts: where the bench reads and writes. Everything temporary lies in a folder of this
// process below bench/.work, which git ignores, and goes with the process; results are kept.

import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const benchFolder = path.dirname(fileURLToPath(import.meta.url))
export const repositoryFolder = path.dirname(benchFolder)
export const workFolder = path.join(benchFolder, '.work', String(process.pid))
export const resultsFolder = path.join(benchFolder, 'results')
export const flamegraphsFolder = path.join(repositoryFolder, 'flamegraphs')

// Made by whoever writes there first: the processes that we start import this file too and need none.
export function makeWorkFolder(name = '.'): string {
  const folder = path.join(workFolder, name)
  mkdirSync(folder, { recursive: true })
  return folder
}

process.on('exit', () => rmSync(workFolder, { recursive: true, force: true }))
