// basicAuth through a gateway of two workers: hashes that others made, a file that changes, what is seen of it.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MiddlewareScene, startMiddlewareScene } from '../../support/middleware-scene.ts'
import { eventually } from '../../support/wait.ts'

let scene: MiddlewareScene
const folder = mkdtempSync(join(tmpdir(), 'sluice-users-'))
const file = join(folder, 'users')

function writeUsers(...lines: string[]): void {
  writeFileSync(`${file}.next`, lines.join('\n'))
  renameSync(`${file}.next`, file)
}

const openssl = (...args: string[]) =>
  execFileSync('openssl', ['passwd', ...args])
    .toString()
    .trim()
const basic = (credentials: string) =>
  `Authorization: Basic ${Buffer.from(credentials).toString('base64')}`

beforeAll(async () => {
  writeUsers('# staff', '', `cecil:${openssl('-apr1', 'of apache')}`)
  scene = await startMiddlewareScene(
    {
      file: { basicAuth: { usersFile: file, headerField: 'X-User', removeHeader: true } },
      users: {
        basicAuth: {
          users: [`ann:${hashSync('pässword', 5)}`, `bob:${openssl('-1', 'of crypt')}`],
        },
      },
      kept: { basicAuth: { users: [`ann:${hashSync('pässword', 5)}`], cacheTtl: '1h' } },
    },
    {
      workers: 2,
      static: { accessLog: { format: 'common', filePath: join(folder, 'access.log') } },
    },
  )
})

afterAll(async () => {
  await scene.stop()
  expect(scene.gateway.stderr()).not.toContain('defect')
  rmSync(folder, { recursive: true })
})

test.each([
  ['/users', 'ann:pässword', 200],
  ['/users', 'bob:of crypt', 200],
  ['/users', 'ann:of crypt', 401],
  ['/users', 'eve:pässword', 401],
  ['/file', 'cecil:of apache', 200],
  ['/file', 'cecil:wrong', 401],
  ['/kept', 'ann:pässword', 200],
  ['/kept', 'ann:pässword', 200],
  ['/kept', 'ann:password', 401],
])('a request for %s by %s is answered %i', async (path, credentials, status) => {
  for (const method of ['GET', 'POST']) {
    const answer = await scene.ask(
      method,
      path,
      [basic(credentials)],
      method === 'POST' ? 'body' : '',
    )
    expect(answer.status).toBe(status)
    if (status === 200 && method === 'POST') expect(answer.body).toMatch(/\r\n\r\nbody$/)
    if (status === 401) expect(answer.headers.get('www-authenticate')).toBe('Basic realm="traefik"')
  }
})

test('the server learns the user from the gateway alone', async () => {
  const lines = [basic('cecil:of apache'), 'X_User: root', 'X-User: root']
  const { body } = await scene.ask('GET', '/file', lines)
  expect(body).toContain('\r\nX-User: cecil\r\n')
  expect(body).not.toMatch(/root|authorization/i)
})

test('forty requests at once are all judged, each by its own password', async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      scene.ask('GET', '/users', [basic(i % 2 === 0 ? 'ann:pässword' : `ann:${i}`)]),
    ),
  )
  expect(answers.map(({ status }) => status)).toEqual(
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 200 : 401)),
  )
})

test('a client that leaves while its password is checked leaves nothing behind', async () => {
  for (let i = 0; i < 20; i++) {
    const client = await scene.connect()
    client.send(`GET /users HTTP/1.1\r\nHost: a\r\n${basic(`ann:gone ${i}`)}\r\n\r\n`)
    client.destroy()
  }
  expect((await scene.ask('GET', '/users', [basic('ann:pässword')])).status).toBe(200)
  await eventually('no request to be left', async () => {
    const { body } = await scene.gateway.admin('/metrics')
    return /sluice_exchanges_in_flight(?:\{[^}]*\})? [^0]/.exec(body) === null
  })
})

test('the user and what was decided are seen in the access log and in metrics', async () => {
  const { body } = await scene.gateway.admin('/metrics')
  expect(body).toMatch(/sluice_auth_requests_total\{middleware="users@file",outcome="passed"\} \d+/)
  expect(body).toMatch(
    /sluice_auth_requests_total\{middleware="users@file",outcome="refused"\} \d+/,
  )
  await eventually('the line', () =>
    / - cecil \[.*"GET \/file /.test(readFileSync(join(folder, 'access.log'), 'utf8')),
  )
})

test('a file that changes is served at once, and a bad line disables what needs it, with file and line', async () => {
  writeUsers(`dora:${openssl('-apr1', 'new')}`)
  const statusOf = async (credentials: string) =>
    (await scene.ask('GET', '/file', [basic(credentials)])).status
  await eventually('the new user', async () => (await statusOf('dora:new')) === 200)
  expect(await statusOf('cecil:of apache')).toBe(401)
  writeUsers(`dora:${openssl('-apr1', 'new')}`, 'eve:top-secret')
  await eventually('the router to go', async () => (await statusOf('dora:new')) === 404)
  expect(scene.gateway.stderr()).toContain(`${file}":2: a password in plain text is refused`)
  expect(scene.gateway.stderr()).not.toContain('top-secret')
  expect((await scene.ask('GET', '/users', [basic('ann:pässword')])).status).toBe(200)
  writeUsers(`dora:${openssl('-apr1', 'new')}`)
  await eventually('the router to be back', async () => (await statusOf('dora:new')) === 200)
})
