// digestAuth through a gateway of two workers, with curl as the client.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'sluice-digest-'))
const secretOf = (user: string, realm: string, password: string) =>
  createHash('md5').update(`${user}:${realm}:${password}`).digest('hex')

let scene: MiddlewareScene

beforeAll(async () => {
  const file = join(folder, 'digests')
  writeFileSync(
    file,
    `ann:shop:${secretOf('ann', 'shop', 'password')}\nbob:other:${secretOf('bob', 'other', 'x')}\n`,
  )
  scene = await startMiddlewareScene(
    { shop: { digestAuth: { usersFile: file, realm: 'shop', headerField: 'X-User' } } },
    { workers: 2 },
  )
})

afterAll(async () => {
  await scene.stop()
  rmSync(folder, { recursive: true })
})

async function curl(user: string, ...more: string[]): Promise<string> {
  const url = `http://127.0.0.1:${scene.gateway.port}/shop/a?b=c`
  const { stdout } = await run('curl', [
    '-s',
    '--max-time',
    '20',
    '--digest',
    '-u',
    user,
    ...more,
    url,
  ])
  return stdout
}

test('curl proves a password, with and without a body', async () => {
  expect(await curl('ann:password')).toMatch(/^GET \/shop\/a\?b=c [^]*\r\nX-User: ann\r\n/)
  expect(await curl('ann:password', '-d', 'a body')).toMatch(/^POST [^]*\r\n\r\na body$/)
})

test('nobody else passes', async () => {
  for (const user of ['ann:wrong', 'bob:x', 'eve:password']) {
    expect(await curl(user, '-o', '/dev/null', '-w', '%{http_code}')).toBe('401')
  }
})

test('a proof that was seen on its way is good in no worker any more', async () => {
  const url = `http://127.0.0.1:${scene.gateway.port}/shop/a`
  const verbose = ['-sv', '--max-time', '20', '--digest', '-u', 'ann:password', url]
  const { stderr } = await run('curl', verbose)
  const line = /> (Authorization: Digest .*)\r?\n/.exec(stderr)![1]!.trim()
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => scene.ask('GET', '/shop/a', [line])),
  )
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 401))
})
