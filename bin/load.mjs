// bin/load.mjs: gives every thread its modules with types stripped once and for all, not once per thread.
//
// Node's own type stripping costs each thread some 11 MB and 20 ms for the stripper alone. So the stripped
// text of a module is kept in .cache/, named by path, size and time of change; types become blanks, so every
// line and column stays where it was. A module that is not there yet is stripped by Node and then kept. Where
// .cache/ can't be written, all works the same, only slower.
//
// Plain JavaScript, because it is what loads TypeScript.

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, threadId } from 'node:worker_threads'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(root, '.cache', `types-${process.versions.node}`)

function keptPath(path) {
  const { mtimeMs, size } = statSync(path)
  const name = relative(root, path).replaceAll('/', '+')
  return join(cache, `${name}-${Math.trunc(mtimeMs)}-${size}.js`)
}

function stripped(path) {
  const kept = keptPath(path)
  try {
    return readFileSync(kept, 'utf8')
  } catch {
    const text = nodeModule.stripTypeScriptTypes(readFileSync(path, 'utf8'), { mode: 'strip' })
    keep(kept, text)
    return text
  }
}

// Written beside and renamed: several threads may be first at the same time.
function keep(kept, text) {
  const beside = `${kept}.${process.pid}.${threadId}`
  try {
    mkdirSync(cache, { recursive: true })
    writeFileSync(beside, text)
    renameSync(beside, kept)
  } catch {
    // a read-only installation
  }
}

// Our own modules name each other by relative paths with their ending, so there is nothing to look for: no package, no
// symbolic link, no other ending. Node would ask the file system three times per import.
function isOwn(specifier, parent) {
  return specifier.startsWith('.') && specifier.endsWith('.ts') && parent?.endsWith('.ts') === true
}

nodeModule.registerHooks({
  resolve(specifier, context, nextResolve) {
    const { parentURL } = context
    if (!isOwn(specifier, parentURL)) return nextResolve(specifier, context)
    return { url: new URL(specifier, parentURL).href, format: 'module', shortCircuit: true }
  },
  load(url, context, nextLoad) {
    if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context)
    const source = stripped(fileURLToPath(url))
    return { format: 'module', source, shortCircuit: true }
  },
})
// A gateway that is told to end before it has begun ends well; cli/gateway.ts takes the signals over. A command
// (`sluice check`) is ended by them like any other.
const isGateway = process.argv[2] === undefined || process.argv[2].startsWith('-')
if (isMainThread && isGateway) {
  process.once('SIGTERM', () => process.exit(0))
  process.once('SIGINT', () => process.exit(0))
}

nodeModule.enableCompileCache?.(join(root, '.cache', 'code'))
