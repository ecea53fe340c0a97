import { expect, test } from 'vitest'
import { install, routes, run } from './run.ts'

const good = routes.replace(/ {4}broken:[\s\S]*? {2}middlewares:/, '  middlewares:')

test('a configuration without fault is counted and exits with 0', async () => {
  const files = { 'sluice.yml': install, 'routes.yml': good }
  const { code, out } = await run(['check', '--configFile=sluice.yml'], files)
  expect(out).toBe(
    '0 errors, 0 warnings; in use: 2 entryPoints, 5 routers, 3 services, 4 middlewares\n',
  )
  expect(code).toBe(0)
})

test('a wrong key of the install file is told with its place and the nearest key', async () => {
  const text = install.replace('address: ":8000"', 'adress: ":8000"')
  const { code, out } = await run(['check', 'sluice.yml'], { 'sluice.yml': text })
  expect(code).toBe(1)
  expect(out).toMatch(/^error: FOLDER\/sluice\.yml:4:5: unknown key "adress".*"address"/)
  expect(out).toContain('the gateway would not start')
})

test('every problem of the routes is told, and what is in use nevertheless', async () => {
  const wrong = routes.replace('rule: PathPrefix(`/`)', 'rule: PathPrefx(`/`)')
  const files = { 'sluice.yml': install, 'routes.yml': wrong }
  const { code, out } = await run(['check', 'sluice.yml'], files)
  expect(code).toBe(1)
  expect(out).toMatch(/^error: FOLDER\/routes\.yml:10:\d+: .*PathPrefx/m)
  expect(out).toMatch(/^error: FOLDER\/routes\.yml:\d+:\d+: .*gone/m)
  expect(out).toContain('2 errors, 0 warnings; in use: 2 entryPoints, 4 routers')
})

test('keys without effect are one warning, which is no error', async () => {
  const text = install + 'tracing: {}\nhostResolver: {}\n'
  const files = { 'sluice.yml': text, 'routes.yml': good }
  const { code, out } = await run(['check', 'sluice.yml'], files)
  expect(out.match(/^warning: .*hostResolver.*tracing/gm)).toHaveLength(1)
  expect(code).toBe(0)
})

test('a file that is not there is an error', async () => {
  const { code, out } = await run(['check', 'none.yml'])
  expect([code, out]).toEqual([1, expect.stringContaining('FOLDER/none.yml')])
})

test('flags are checked as well', async () => {
  const { code, out } = await run(['check', '--entryPoints.web.address=nowhere'])
  expect([code, out]).toEqual([1, expect.stringContaining('--entryPoints.web.address')])
})

test('a report for machines has the same problems', async () => {
  const files = { 'sluice.yml': install, 'routes.yml': routes }
  const { code, out } = await run(['check', 'sluice.yml', '--json'], files)
  const report = JSON.parse(out)
  expect(code).toBe(1)
  expect(report).toMatchObject({ valid: false, file: 'FOLDER/sluice.yml', counts: { services: 3 } })
  expect(report.problems[0]).toMatchObject({ severity: 'error', file: 'FOLDER/routes.yml' })
})

test('without any configuration the quickstart example is checked', async () => {
  expect((await run(['check'])).code).toBe(0)
})
