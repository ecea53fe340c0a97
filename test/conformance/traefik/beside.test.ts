// A Traefik and a Sluice read the same routing file and are asked the same: what clients and servers get is equal, but for
// the differences that expected.ts names. Name the program, and all of it runs:
//
//   TRAEFIK=PATH make traefik
//
// BESIDE_REPORT=FILE writes what was compared, as JSON.

import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../support/wait.ts'
import { allCases } from './cases/all.ts'
import { type Difference, differencesOf } from './compare.ts'
import { expected } from './expected.ts'
import type { Expected } from './explain.ts'
import { plain } from './origins.ts'
import {
  type Ask,
  type Case,
  type Pair,
  type Seen,
  type Side,
  get,
  startPair,
  textOf,
} from './pair.ts'
import { isHere } from './traefik.ts'

interface Finding extends Difference {
  readonly request: number
  readonly ask: string
  readonly reason: string // '' when nothing explains it
}

const uses = new Map<Expected, number>(expected.map((one) => [one, 0]))
const report: Finding[] = []
const counts = { requests: 0, equal: 0 }

describe.skipIf(!isHere)('beside a Traefik (skipped without TRAEFIK)', () => {
  let pair: Pair
  let cases: readonly Case[] = []

  beforeAll(async () => {
    pair = await startPair(allCases)
    cases = allCases(pair.origins.url)
  })

  afterAll(async () => {
    await pair?.stop()
    const differ = counts.requests - counts.equal
    console.log(`${counts.requests} requests: ${counts.equal} equal, ${differ} differ`)
    for (const [reason, requests] of requestsByReason()) console.log(`${requests}  ${reason}`)
    const file = process.env['BESIDE_REPORT']
    if (file !== undefined) writeFileSync(file, JSON.stringify({ counts, report }, null, 1))
  })

  test.each(allCases(() => 'http://127.0.0.1:1').map(({ name }) => name))('%s', async (name) => {
    const one = cases.find((each) => each.name === name)!
    const traefik = await pair.play('traefik', one)
    const sluice = await pair.play('sluice', one)
    const found = one.asks.flatMap((ask, at) => findings(one, ask, traefik[at]!, sluice[at]!))
    report.push(...found)
    expect(found.filter(({ reason }) => reason === '')).toEqual([])
  })

  test('inFlightReq refuses the same number of requests that come at once', async () => {
    const by = { traefik: await crowd(pair, 'traefik'), sluice: await crowd(pair, 'sluice') }
    expect(by.traefik).toEqual([200, 200, 429, 429, 429])
    expect(by.sluice).toEqual(by.traefik)
  })

  test('Every difference that is expected is still one', () => {
    const unused = [...uses].filter(([, count]) => count === 0)
    expect(unused.map(([{ name }]) => name)).toEqual([])
  })
})

test('Every difference that is expected names the page that tells of it', () => {
  const docs = path.join(import.meta.dirname, '..', '..', '..', 'docs')
  const missing = expected.filter(({ page }) => !existsSync(path.join(docs, page)))
  expect(missing.map(({ name }) => name)).toEqual([])
})

function requestsByReason(): [string, number][] {
  const requests = new Map<string, Set<number>>()
  for (const { reason, request } of report) {
    const found = requests.get(reason) ?? new Set()
    requests.set(reason, found.add(request))
  }
  const counted = [...requests].map(([reason, { size }]): [string, number] => [reason, size])
  return counted.toSorted((a, b) => b[1] - a[1])
}

// Five requests under way at the same time; those that are let through wait until all have been decided about.
async function crowd(pair: Pair, side: Side): Promise<number[]> {
  let release: (value?: unknown) => void = () => {}
  const released = new Promise((resolve) => (release = resolve))
  pair.origins.served = []
  pair.origins.reply = async (served) => {
    await released
    return plain(served)
  }
  const clients = await Promise.all([1, 2, 3, 4, 5].map(() => pair.connect(side)))
  for (const client of clients) client.send(textOf(get('/'), 'in-flight-many.test'))
  const refused = () => clients.filter(({ receivedBytes }) => receivedBytes > 0).length
  await eventually('all to be decided', () => pair.origins.served.length + refused() === 5)
  release()
  const answers = await Promise.all(clients.map((client) => client.readResponse()))
  for (const client of clients) client.destroy()
  return answers.map(({ status }) => status).toSorted((a, b) => a - b)
}

function findings(one: Case, ask: Ask, traefik: Seen, sluice: Seen): Finding[] {
  const all = differencesOf(traefik, sluice)
  counts.requests++
  if (all.length === 0) counts.equal++
  const headers = ask.headers.map((line) => line.slice(0, 80)).join(' & ')
  const shown = `${one.name}: ${ask.method} ${ask.target.slice(0, 80)} ${headers}`
  return all.map((found) => {
    const reason = expected.find((each) => each.explains(found, { one, ask, traefik, sluice }))
    if (reason !== undefined) uses.set(reason, uses.get(reason)! + 1)
    return { ...found, request: counts.requests, ask: shown, reason: reason?.name ?? '' }
  })
}
