import { expect, test } from 'vitest'
import type { CpuProfile } from './profile.ts'
import { topSelf, treeOf } from './profile.ts'
import { escapeXml, fitText, svgOf } from './svg.ts'

function node(id: number, functionName: string, url: string, children: number[] = []) {
  return { id, callFrame: { functionName, url, lineNumber: 9 }, children }
}

const profile: CpuProfile = {
  nodes: [
    node(1, '(root)', '', [2, 5]),
    node(2, 'onBytes', 'file:///home/me/sluice/workers/a.ts', [3, 4]),
    node(3, 'parse<T>', 'file:///home/me/sluice/core/h1/b.ts'),
    node(4, 'writev', ''),
    node(5, '(idle)', ''),
  ],
  samples: [2, 3, 3, 5, 4],
  timeDeltas: [0, 100, 200, 200, 400, 100],
}

test('The time until the next sample belongs to the function that was sampled.', () => {
  const { root, idleUs } = treeOf([profile], '/home/me/sluice')
  const onBytes = root.children.get('onBytes workers/a.ts:10')
  expect(onBytes).toMatchObject({ selfUs: 100, totalUs: 600 })
  expect(onBytes?.children.get('parse<T> core/h1/b.ts:10')?.selfUs).toBe(400)
  expect(root.totalUs).toBe(600)
  expect(idleUs).toBe(400)
})

test('Profiles of several threads become one tree.', () => {
  const { root } = treeOf([profile, profile], '/home/me/sluice')
  expect(root.children.size).toBe(1)
  expect(root.totalUs).toBe(1200)
})

test('The functions with the most time of their own come first.', () => {
  const top = topSelf(treeOf([profile], '/home/me/sluice'), 2)
  expect(top.map((one) => one.label)).toEqual([
    'parse<T> core/h1/b.ts:10',
    'onBytes workers/a.ts:10',
  ])
  expect(top[0]?.share).toBeCloseTo(2 / 3)
})

test('No picture names a folder of the machine that drew it.', () => {
  const svg = svgOf(treeOf([profile], '/somewhere/else'), 'title', '')
  expect(svg).toContain('onBytes a.ts:10')
  expect(svg).not.toContain('/home/me')
})

test('A picture is well-formed whatever functions are called.', () => {
  const svg = svgOf(treeOf([profile], '/home/me/sluice'), 'a < b & "c"', '')
  expect(svg).toContain('a &lt; b &amp; &quot;c&quot;')
  expect(svg).toContain('parse&lt;T&gt;')
  expect(svg.match(/<g>/g)?.length).toBe(svg.match(/<\/g>/g)?.length)
  expect(escapeXml('<&>')).toBe('&lt;&amp;&gt;')
})

test('Text that does not fit its box is cut and says so.', () => {
  expect(fitText('abcdef', 6)).toBe('abcdef')
  expect(fitText('abcdefg', 6)).toBe('abcd..')
})
