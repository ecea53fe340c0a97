// The documents hang together: every page is found from the index, and every link leads somewhere.

import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { isThere } from './imports.ts'
import { filesBelow, readText } from './source.ts'

const pages = filesBelow().filter((path) => path.endsWith('.md'))

interface Link {
  readonly from: string
  readonly to: string // a path within the repository
  readonly anchor: string // '' for none
}

// Links in fenced blocks and in code are examples.
function proseOf(text: string): string {
  return text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')
}

function linksOf(from: string): Link[] {
  const targets = [...proseOf(readText(from)).matchAll(/\]\(([^)\s]+)\)/g)].map((m) => m[1]!)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', anchor = ''] = target.split('#')
      return { from, to: path === '' ? from : posix.join(posix.dirname(from), path), anchor }
    })
}

// As the usual hosts make anchors of headings.
function anchorsOf(path: string): string[] {
  const text = readText(path).replace(/^```.*?^```$/gms, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  )
}

const links = pages.flatMap(linksOf)

test('Every relative link in a document leads to a file that is there', () => {
  expect(links.length).toBeGreaterThan(20)
  expect(links.filter(({ to }) => !isThere(to))).toEqual([])
})

test('Every anchor of a link is a heading of the page that it leads to', () => {
  const anchored = links.filter(({ anchor, to }) => anchor !== '' && to.endsWith('.md'))
  const broken = anchored.filter(({ to }) => isThere(to))
  expect(broken.filter(({ to, anchor }) => !anchorsOf(to).includes(anchor))).toEqual([])
})

test('Every page of docs is reached from docs/index.md', () => {
  const reached = new Set<string>()
  const open = ['docs/index.md']
  for (let page = open.pop(); page !== undefined; page = open.pop()) {
    if (reached.has(page)) continue
    reached.add(page)
    for (const { to } of links.filter(({ from }) => from === page)) open.push(to)
  }
  const lost = pages.filter((page) => page.startsWith('docs/') && !reached.has(page))
  expect(lost).toEqual([])
})

test('Every file that ARCHITECTURE.md names is there', () => {
  const named = [...readText('ARCHITECTURE.md').matchAll(/`([a-z0-9-]+(?:\/[a-z0-9.-]+)+)`/g)]
  const paths = named.map((match) => match[1]!.replace(/\/$/, ''))
  expect(paths.length).toBeGreaterThan(30)
  expect(paths.filter((path) => /\.(?:ts|md|json|yml)$/.test(path) && !isThere(path))).toEqual([])
})
