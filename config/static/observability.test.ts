import { expect, test } from 'vitest'
import { ConfigError } from '../located.ts'
import { loadStatic } from '../sources.ts'

function headerLabelsOf(label: string, header: string): unknown {
  const text = JSON.stringify({ metrics: { prometheus: { headerLabels: { [label]: header } } } })
  const argv = ['--configFile=/sluice.yml']
  const { config } = loadStatic({ argv, env: {}, cwd: '/', readFile: () => text, cores: 2 })
  return config.metrics!.prometheus!.headerLabels
}

test.each([
  ['tenant', 'X-Tenant'],
  ['_a1', 'x'],
  ['le', "!#$%&'*+-.^_`|~"],
])('the label %j of the header %j can be used', (label, header) => {
  expect(headerLabelsOf(label, header)).toEqual({ [label]: header })
})

test.each([
  ['code', 'X-Code'],
  ['router', 'X-Router'],
  ['__reserved', 'X'],
  ['a-b', 'X'],
  ['1a', 'X'],
  ['tenant', 'X Tenant'],
  ['tenant', ''],
])('the label %j of the header %j is refused', (label, header) => {
  let fault: unknown = null
  try {
    headerLabelsOf(label, header)
  } catch (thrown) {
    fault = thrown
  }
  expect(fault).toBeInstanceOf(ConfigError)
  const { problems } = fault as ConfigError
  expect(problems.map((problem) => problem.message).join()).toContain(
    'headerLabels: maps names of labels to names of headers',
  )
})
