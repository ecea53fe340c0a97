import { expect, test } from 'vitest'
import type { ShownExplanation } from '../../cli/explain-text.ts'
import { files, run } from './run.ts'

async function explain(...argv: string[]): Promise<ShownExplanation> {
  const { out, err } = await run(['explain', ...argv, '--json', '--configFile=sluice.yml'], files)
  expect(out, err).not.toBe('')
  return JSON.parse(out) as ShownExplanation
}

test('the winner is named, the others with the reason why they lost', async () => {
  const shown = await explain('GET', 'http://shop.test:8000/shop/cart?x=1')
  expect(shown.request.entryPoint).toBe('web')
  expect(shown.routers).toEqual(['shop@file'])
  const tried = shown.tried[0]!
  expect(tried.find((line) => line.name === 'all@file')!.why).toBe('lower priority than shop@file')
  expect(tried.find((line) => line.name === 'office@file')!.why).toContain('is false')
})

test('each middleware says what it does, and the server gets what they made of the request', async () => {
  const shown = await explain('GET', 'http://shop.test:8000/shop/cart?x=1')
  expect(shown.steps.map((step) => step.name)).toEqual(['strip@file', 'guard@file'])
  expect(shown.steps[0]!.sentence).toContain('/shop')
  expect(shown.answer).toBeNull()
  expect(shown.sends).toBe('GET /cart?x=1 HTTP/1.1')
  expect(shown.sendsHost).toBe('shop.test:8000')
  expect(shown.services[0]).toMatchObject({
    name: 'shop@file',
    servers: [
      { url: 'http://10.1.0.1:80', weight: 1 },
      { url: 'http://10.1.0.2:80', weight: 3 },
    ],
  })
})

test('a middleware that refuses ends the way, with status and code', async () => {
  const shown = await explain('http://shop.test:8000/shop', '--client-ip', '192.0.2.9')
  expect(shown.answer).toMatchObject({ by: 'guard@file', status: 403, code: 'REFUSED_ADDRESS' })
  expect(shown.services).toEqual([])
  expect(shown.sends).toBe('')
})

test('a redirect shows where it leads', async () => {
  const shown = await explain('http://x.test:8000/office', '--client-ip=192.0.2.9')
  expect(shown.routers).toEqual(['office@file'])
  expect(shown.answer!.headers).toContain('Location: http://new.test/')
})

test('children are tried behind the middlewares of their parent', async () => {
  const shown = await explain('http://x.test:8000/tree/leaf')
  expect(shown.routers).toEqual(['tree@file', 'leaf@file'])
  expect(shown.steps.map((step) => step.owner)).toEqual(['tree@file'])
  expect((await explain('http://x.test:8000/tree/no')).answer).toMatchObject({ code: 'NO_ROUTER' })
  expect(JSON.stringify(shown)).not.toContain('hush')
})

test('a weighted service shows everything that it may lead to', async () => {
  const shown = await explain('http://x.test:8000/')
  const names = shown.services.map((service) => service.name)
  expect(names).toEqual(['mixed@file', 'shop@file', 'canary@file'])
})

test('what the codec refuses is refused here with the same code', async () => {
  const cases: [string, string[]][] = [
    ['HEADER_NAME', ['GET', 'http://a.test:8000/', '-H', 'Bad Name: x']],
    ['HEADER_VALUE', ['GET', 'http://a.test:8000/', '-H', 'X: a\x00b']],
    [
      'LENGTH_WITH_CHUNKED',
      [
        'POST',
        'http://a.test:8000/',
        '-H',
        'Content-Length: 1',
        '-H',
        'Transfer-Encoding: chunked',
      ],
    ],
    ['HOST_DOUBLE', ['http://a.test:8000/', '-H', 'Host: a', '-H', 'Host: b']],
    ['REQUEST_TARGET', ['GET', 'http://a.test:8000/\x7f']],
    ['ENCODED_CHARACTER', ['GET', 'http://a.test:8000/a%2fb']],
    ['PATH_ENCODING', ['GET', 'http://a.test:8000/%zz']],
    ['REQUEST_METHOD', ['G(T', 'http://a.test:8000/']],
  ]
  for (const [code, argv] of cases) {
    expect((await explain(...argv)).answer?.code, argv.join(' ')).toBe(code)
  }
})

test('a Host header stands in place of the one in the URL', async () => {
  const argv = ['http://x.test:8000/shop', '-H', 'Host: SHOP.test.']
  expect((await explain(...argv)).routers).toEqual(['shop@file'])
})

test('paths are shown as they are matched', async () => {
  const shown = await explain('http://shop.test:8000/a/../shop//x')
  expect(shown.request.path).toBe('/shop/x')
  expect(shown.notes).toContain('the path is normalised to /shop/x')
})

test('the entry point is the one named, or the one on the port', async () => {
  const shown = await explain('http://x.test/broken', '--entrypoint', 'other')
  expect(shown.answer).toMatchObject({ status: 404, code: 'NO_ROUTER' })
  expect(shown.disabled[0]!.name).toBe('broken@file')
  const flags = ['--configFile=sluice.yml']
  const none = await run(['explain', 'http://x.test:1/', ...flags], files)
  expect([none.code, none.err]).toEqual([1, expect.stringContaining('port 1')])
  const wrong = await run(['explain', '/', '--entrypoint=x', ...flags], files)
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('web, other')])
})

test('text for people says the same and holds no control byte', async () => {
  const argv = ['explain', 'GET', 'http://shop.test:8000/shop/a', '--configFile=sluice.yml']
  const { code, out } = await run(argv, files)
  expect(code).toBe(0)
  expect(out).toContain('Router: shop@file (priority 40)')
  expect(out).toContain('Middleware 1: strip@file (stripPrefix, of shop@file)')
  expect(out).toContain('Sent: GET /a HTTP/1.1, Host: shop.test:8000')
  const odd = await run([...argv.slice(0, 2), 'http://x.test:8000/\x1b[2J', argv[3]!], files)
  expect(odd.out).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
})

test('arguments that make no request are refused with code 2', async () => {
  for (const argv of [[], ['a', 'b', 'c'], ['not a url'], ['/', '--client-ip=x'], ['/', '-H']]) {
    expect((await run(['explain', ...argv])).code, argv.join(' ')).toBe(2)
  }
})
