// A file of a body: what is written comes back, one call at a time, and its descriptor is closed when that is safe.

import { closeSync, fstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NONE, SPOOL_FAILED, SPOOL_FULL } from '../../core/errors.ts'
import {
  SPOOL_BLOCK,
  SpoolBudget,
  spoolBudgetBytes,
  spooledBytes,
} from '../../core/shared/spool-budget.ts'
import { eventually } from '../../test/support/wait.ts'
import { SPOOL_PIECE, SpoolFile, type SpoolOwner, type SpoolPlace } from './file.ts'
import { openAndUnlink, openUnnamed } from './open.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-spool-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

class World implements SpoolPlace, SpoolOwner {
  readonly memory = new SharedArrayBuffer(spoolBudgetBytes(1))
  readonly directory: string
  readonly budget: SpoolBudget
  readonly descriptors: number[] = []
  readonly log: string[] = []
  readonly read: Buffer[] = []
  refusals = 0
  onPiece = (): void => {}

  constructor(directory: string, bytesMax = 1024 * SPOOL_BLOCK) {
    this.directory = directory
    this.budget = new SpoolBudget(this.memory, 0, bytesMax)
  }

  takesDescriptor(descriptor: number): boolean {
    this.descriptors.push(descriptor)
    return true
  }

  refused(): void {
    this.refusals++
  }

  writable(): void {
    this.log.push('writable')
  }

  written(): void {
    this.log.push('written')
  }

  piece(bytes: Buffer, length: number): void {
    this.read.push(Buffer.from(bytes.subarray(0, length)))
    this.onPiece()
  }

  failed(code: number): void {
    this.log.push(`failed ${code}`)
  }

  get spooled(): number {
    return spooledBytes(this.memory)
  }
}

const isOpen = (descriptor: number): boolean => {
  try {
    fstatSync(descriptor)
    return true
  } catch {
    return false
  }
}

async function written(world: World, file: SpoolFile): Promise<void> {
  file.end()
  await eventually('all to be written', () => file.isWritten)
  expect(world.read).toEqual([])
}

test('what was appended is read back in pieces of 64 KiB, as often as it is rewound', async () => {
  const world = new World(folder)
  const file = new SpoolFile(world, world)
  const body = Buffer.alloc(3 * SPOOL_PIECE + 5, 'abcdefg')
  for (let at = 0; at < body.length; at += 1000) file.append(body.subarray(at, at + 1000))
  await written(world, file)
  world.onPiece = () => file.pull()
  for (let round = 0; round < 2; round++) {
    world.read.length = 0
    file.rewind()
    file.pull()
    await eventually('the end', () => file.isAtEnd)
    expect(world.read.map((piece) => piece.length)).toEqual([
      SPOOL_PIECE,
      SPOOL_PIECE,
      SPOOL_PIECE,
      5,
    ])
    expect(Buffer.concat(world.read).equals(body)).toBe(true)
  }
  expect(readdirSync(folder)).toEqual([])
  file.close()
  expect(world.spooled).toBe(0)
})

test('a piece that is read for somebody who is gone is not told to the next one', async () => {
  const world = new World(folder)
  const file = new SpoolFile(world, world)
  file.append(Buffer.alloc(2 * SPOOL_PIECE, 'x'))
  await written(world, file)
  file.pull()
  file.rewind()
  file.pull()
  await eventually('a piece', () => world.read.length > 0)
  file.pull()
  await eventually('the end', () => file.isAtEnd)
  expect(world.read.length).toBe(2)
  file.close()
})

test('more than 256 KiB that wait for the disk pause the client, until they are written', async () => {
  const world = new World(folder)
  const file = new SpoolFile(world, world)
  file.append(Buffer.alloc(255 * 1024))
  expect(file.takesMore()).toBe(true)
  file.append(Buffer.alloc(1024))
  expect(file.takesMore()).toBe(false)
  await eventually('it to take more', () => world.log.includes('writable'))
  expect(file.takesMore()).toBe(true)
  file.close()
})

test('beyond the bound nothing is taken, and closing gives all of it back', async () => {
  const world = new World(folder, 2 * SPOOL_BLOCK)
  const file = new SpoolFile(world, world)
  expect(file.append(Buffer.alloc(2 * SPOOL_BLOCK))).toBe(NONE)
  expect(file.append(Buffer.alloc(1))).toBe(SPOOL_FULL)
  file.close()
  await eventually('its bytes to be free', () => world.spooled === 0)
})

test('closed while it is being opened or written, it is closed after that, and says nothing', async () => {
  const world = new World(folder)
  const opening = new SpoolFile(world, world)
  opening.append(Buffer.alloc(10))
  opening.close()
  expect(world.spooled).toBe(SPOOL_BLOCK) // the call is under way
  await eventually('it to be let go', () => world.spooled === 0)

  const file = new SpoolFile(world, world)
  file.append(Buffer.alloc(10))
  await eventually('it to be open', () => world.descriptors.length === 1)
  file.append(Buffer.alloc(SPOOL_BLOCK))
  file.end()
  file.close()
  await eventually('it to be let go', () => world.spooled === 0)
  await eventually('it to be closed', () => !isOpen(world.descriptors[0]!))
  expect(world.log).toEqual([])
})

test('a folder that is not there is told once', async () => {
  const world = new World(path.join(folder, 'none'))
  const file = new SpoolFile(world, world)
  file.append(Buffer.alloc(10))
  await eventually('it to fail', () => world.log.length > 0)
  expect(world.log).toEqual([`failed ${SPOOL_FAILED}`])
  expect(file.append(Buffer.alloc(10))).toBe(SPOOL_FAILED)
  expect(world.refusals).toBe(1)
  file.close()
  expect(world.spooled).toBe(0)
})

test.each([
  ['without a name from the start', openUnnamed],
  ['unlinked at once', openAndUnlink],
])('a file %s is for its owner alone and not in the folder', async (_, open) => {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  open(folder, (error, descriptor) => (error === null ? resolve(descriptor) : reject(error)))
  const descriptor = await promise
  const { mode, nlink } = fstatSync(descriptor)
  closeSync(descriptor)
  expect(mode & 0o777).toBe(0o600)
  expect(nlink).toBe(0)
  expect(readdirSync(folder)).toEqual([])
})
