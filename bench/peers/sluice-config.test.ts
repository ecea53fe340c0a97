import { expect, test } from 'vitest'
import { load as parse } from 'js-yaml'
import { defaultOptions } from './contract.ts'
import { dynamicText, routeRequests, staticText } from './sluice-config.ts'

const options = { ...defaultOptions(9001, null), routes: 1000 }

function routersOf(text: string): Record<string, { rule: string; middlewares?: string[] }> {
  return (parse(text) as { http: { routers: ReturnType<typeof routersOf> } }).http.routers
}

test('A table of 1,000 routes has 1,000 different rules, a tenth of them regular expressions.', () => {
  const rules = Object.values(routersOf(dynamicText(options))).map((router) => router.rule)
  expect(new Set(rules).size).toBe(1000)
  expect(rules.filter((rule) => rule.includes('PathRegexp')).length).toBe(100)
})

test('The requests of a table are spread over it, and each belongs to one of its rules.', () => {
  const rules = Object.values(routersOf(dynamicText(options))).map((router) => router.rule)
  const requests = routeRequests(1000, 200)
  expect(requests.length).toBe(200)
  for (const request of requests) {
    const number = /(?:services|parts)\/(\d+)/.exec(request.path)?.[1]
    expect(rules[Number(number)]).toContain(`Host(\`${request.host}\`)`)
  }
  const regexps = requests.filter((request) => request.path.startsWith('/items/'))
  expect(regexps.length).toBe(20)
})

test('A small table gets as many different requests as a large one, and all its routes get some.', () => {
  const paths = routeRequests(10, 200).map((request) => request.path)
  expect(new Set(paths).size).toBe(200)
  const asked = paths.map((path) => /(?:services|parts)\/(\d+)/.exec(path)?.[1])
  expect(new Set(asked).size).toBe(10)
})

test('Two editions of the same table differ in one route only.', () => {
  const first = routersOf(dynamicText(options, 1))
  const second = routersOf(dynamicText(options, 2))
  const changed = Object.keys(second).filter((name) => first[name]?.rule !== second[name]?.rule)
  expect(changed).toEqual(['edition'])
})

test('The static file names one worker, the engine and the dynamic file.', () => {
  const text = staticText({ ...options, engine: 'uws' }, { web: 1, admin: 2 }, 'dynamic.yml')
  expect(parse(text)).toMatchObject({
    workers: 1,
    entryPoints: { web: { address: '127.0.0.1:1', engine: 'uws' } },
    providers: { file: { filename: 'dynamic.yml' } },
  })
})

test('Middlewares are on every route that asks for them and are defined.', () => {
  const text = dynamicText({ ...options, routes: 0, hasMiddlewares: true })
  const defined = (parse(text) as { http: { middlewares: object } }).http.middlewares
  expect(routersOf(text)['all']?.middlewares).toEqual(Object.keys(defined))
})
