import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandFacts, flagGroups } from '../../cli/help.ts'
import { listKeys } from '../../config/compat.ts'
import { staticSchema } from '../../config/static.ts'
import { files, run } from './run.ts'

const root = join(import.meta.dirname, '..', '..')

test('flags alone are no command: they start the gateway', async () => {
  for (const argv of [[], ['--workers=2'], ['--configFile', 'x']]) {
    expect((await run(argv)).code).toBeNull()
  }
})

test('a word that is no command is refused with the nearest one', async () => {
  const { code, err } = await run(['chek'])
  expect([code, err]).toEqual([2, expect.stringContaining('did you mean "check"')])
})

test('the version is the one of package.json, by the program itself', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const argument of ['version', '--version']) {
    const out = execFileSync(join(root, 'bin', 'sluice'), [argument], { encoding: 'utf8' })
    expect(out).toBe(`sluice ${version}, Node.js ${process.version}\n`)
  }
})

test('the program exits with the code of its command', () => {
  const done = spawnSync(join(root, 'bin', 'sluice'), ['check', '/nonexistent/sluice.yml'])
  expect(done.status).toBe(1)
})

test('routes are listed in the order in which they are tried, children below their parent', async () => {
  const { code, out, err } = await run(['routes', '--configFile=sluice.yml'], files)
  const order = [...out.matchAll(/^ {2}\d+ +(\S+)/gm)].map((match) => match[1])
  expect(order).toEqual(['office@file', 'shop@file', 'tree@file', 'leaf@file', 'all@file'])
  expect(out).toContain('strip@file, guard@file')
  expect(out).toMatch(/other :9000\n {2}no routers/)
  expect(err).toContain('gone')
  expect(code).toBe(0)
})

test('routes for machines are the same', async () => {
  const argv = ['routes', '--json', '--entrypoint=web', '--configFile=sluice.yml']
  const tables = JSON.parse((await run(argv, files)).out)
  expect(tables).toHaveLength(1)
  expect(tables[0].routes.map((route: { name: string }) => route.name)).toContain('tree@file')
})

async function listening(server: Server): Promise<number> {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(null)))
  return (server.address() as AddressInfo).port
}

test('a health check succeeds when the ping answers 200 and fails otherwise', async () => {
  let status = 200
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(request.url ?? '')
    response.writeHead(status).end()
  })
  const port = await listening(server)
  const argv = ['healthcheck', '--ping=true', `--entryPoints.traefik.address=127.0.0.1:${port}`]
  expect(await run(argv)).toMatchObject({ code: 0, out: `OK: http://127.0.0.1:${port}/ping\n` })
  status = 503
  expect(await run(argv)).toMatchObject({ code: 1, err: expect.stringContaining('503') })
  expect(seen).toEqual(['/ping', '/ping'])
  await new Promise((resolve) => server.close(resolve))
  expect(await run(argv)).toMatchObject({ code: 1, err: expect.stringContaining('ECONNREFUSED') })
})

test('a health check without ping says how to enable it', async () => {
  const { code, err } = await run(['healthcheck', '--entryPoints.web.address=:8000'])
  expect([code, err]).toEqual([1, expect.stringContaining('ping is not enabled')])
})

test('help lists every command and every flag of the schema once', async () => {
  const { code, out } = await run(['help'])
  expect(code).toBe(0)
  for (const { usage } of commandFacts) expect(out).toContain(usage)
  const flags = [...out.matchAll(/^ {2}--(\S+)/gm)].map((match) => match[1]!)
  const keys = listKeys(staticSchema).filter((row) => row.setting)
  expect(flags.sort()).toEqual(keys.map((row) => row.path.replaceAll('[]', '[0]')).sort())
  expect((await run(['--help'])).out).toBe(out)
})

test('help of a block shows its flags, and names the blocks when there is none such', async () => {
  expect((await run(['help', 'PING'])).out).toMatch(/^ping\n {2}--ping +object/)
  const { code, err } = await run(['help', 'nothing'])
  expect(code).toBe(1)
  for (const name of flagGroups().keys()) expect(err).toContain(name)
})
