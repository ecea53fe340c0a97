// Rows 6 to 9, 28 and 39: configurations, certificates, clocks and expressions.

import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, renameSync } from 'node:fs'
import { compile } from '../../../config/compile.ts'
import { parseLocated } from '../../../config/located.ts'
import { type Keys, startGateway, routesTo } from '../../support/gateway.ts'
import { type Issued, TestAuthority } from '../../support/certificates.ts'
import { routers, service, shake, startTlsScene } from '../../support/tls-scene.ts'
import { testFacts } from '../../support/facts.ts'
import { metricSum } from '../../support/metrics.ts'
import { eventually } from '../../support/wait.ts'
import { type FaultRow, finding } from '../contract.ts'
import { pause, startLedgerOrigin, startTraffic } from '../ledger.ts'
import { cpuSeconds, residentMiB } from '../memory.ts'

const reloads: FaultRow = {
  number: 6,
  name: 'Reloads, one after the other, under load',
  accept: 'no request fails; memory grows by 5 % at the most',
  smoke: true,
  run: async ({ full }) => {
    const origin = await startLedgerOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url]), workers: 2 })
    const traffic = startTraffic({ port: gateway.port, perSecond: 150 })
    const count = full ? 1000 : 60
    // The first ones bring the heaps to their size.
    for (let i = 0; i < count / 5; i++) await reload(gateway, origin.url, i)
    const before = residentMiB(gateway.child.pid!)
    for (let i = 0; i < count; i++) await reload(gateway, origin.url, 1000 + i)
    const after = residentMiB(gateway.child.pid!)
    await traffic.stop()
    await gateway.stop()
    await origin.stop()
    const failed = traffic.failures().length
    const grown = (after / before - 1) * 100
    // Short runs measure heaps that still find their size.
    const bound = full ? 5 : 15
    return finding(
      failed === 0 && grown <= bound,
      `${count} reloads: ${failed} of ${traffic.ended.length} failed; ${before.toFixed(0)} to ${after.toFixed(0)} MiB (${grown.toFixed(1)} %)`,
    )
  },
}

type Running = Awaited<ReturnType<typeof startGateway>>

async function generationOf(gateway: Running): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  return metricSum(body, 'traefik_config_reloads_total')
}

async function reload(gateway: Running, url: string, number: number): Promise<void> {
  const before = await generationOf(gateway)
  const routes = structuredClone(routesTo([url])) as { http: { routers: Record<string, Keys> } }
  routes.http.routers[`r${number}`] = { rule: `Host(\`h${number}.test\`)`, service: 'origin' }
  gateway.writeRoutes(routes as unknown as Keys)
  await eventually('the reload', async () => (await generationOf(gateway)) > before, 15_000)
}

const large: FaultRow = {
  number: 7,
  name: 'A reload of 10,000 routes under load',
  accept: 'no request fails; in use within 2 s',
  smoke: false,
  run: async () => {
    const origin = await startLedgerOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url]), workers: 1 })
    const traffic = startTraffic({ port: gateway.port, perSecond: 150 })
    await pause(3000)
    const routes = structuredClone(routesTo([origin.url])) as {
      http: { routers: Record<string, Keys> }
    }
    for (let i = 0; i < 10_000; i++)
      routes.http.routers[`r${i}`] = { rule: `Host(\`h${i}.test\`)`, service: 'origin' }
    const before = await generationOf(gateway)
    gateway.writeRoutes(routes as unknown as Keys)
    const from = performance.now()
    await eventually('the reload', async () => (await generationOf(gateway)) > before, 30_000)
    const ms = performance.now() - from
    const calm = traffic.quantile(0.99, 0, from)
    const busy = traffic.quantile(0.99, from, from + ms)
    await traffic.stop()
    await gateway.stop()
    await origin.stop()
    const failed = traffic.failures().length
    return finding(
      failed === 0 && ms < 2000,
      `in use after ${ms.toFixed(0)} ms; ${failed} of ${traffic.ended.length} failed; p99 ${calm.toFixed(1)} before, ${busy.toFixed(1)} ms during`,
    )
  },
}

const sample = `http:
  routers:
    shop: {rule: "Host(\`a.test\`) && PathPrefix(\`/x\`)", service: shop, middlewares: [strip], priority: 7}
  middlewares:
    strip: {stripPrefix: {prefixes: [/x]}}
  services:
    shop: {loadBalancer: {servers: [{url: "http://127.0.0.1:9"}], passHostHeader: false}}
`

const garbage: FaultRow = {
  number: 8,
  name: 'Configurations that are garbage',
  accept: 'never a throw; what is wrong is named with its place; the gateway serves on',
  smoke: true,
  run: async ({ full }) => {
    const count = full ? 10_000 : 1500
    const random = generator(4711)
    let thrown = 0
    let named = 0
    for (let i = 0; i < count; i++) {
      try {
        const document = parseLocated(mutated(sample, random), 'routes.yml')
        const { problems } = compile(new Map([['file', [document]]]), testFacts(), 1)
        if (problems.every(({ file }) => file === 'routes.yml')) named++
      } catch (fault) {
        // What can't be read at all is told by one kind of error, with its place.
        if (/routes\.yml|line \d+|:\d+:\d+/.test(`${String(fault)} ${JSON.stringify(fault)}`))
          named++
        else thrown++
      }
    }
    const survived = await survivesGarbage(full)
    return finding(
      thrown === 0 && named === count && survived.ok,
      `${count} mutations, ${thrown} thrown, ${named} named with their file; ${survived.measured}`,
    )
  },
}

async function survivesGarbage(full: boolean): Promise<{ ok: boolean; measured: string }> {
  const origin = await startLedgerOrigin()
  const gateway = await startGateway({ routes: routesTo([origin.url]) })
  const { writeFileSync, renameSync } = await import('node:fs')
  const file = `${gateway.folder}/routes.yml`
  const before = residentMiB(gateway.child.pid!)
  const bomb = Array.from(
    { length: 24 },
    (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `*a${i - 1},`.repeat(10)}]`,
  )
  const bodies = [
    '\u0000\u0001\u0002',
    '{"http": {"routers": {"all": {"rule": ',
    'http:\n\trouters: {}\n',
    bomb.join('\n'),
    Buffer.from('http: {}', 'utf16le'),
    'x: '.repeat(200_000),
    ...(full ? ['# '.padEnd(100 * 1024 * 1024, 'x')] : []),
  ]
  let served = 0
  for (const body of bodies) {
    writeFileSync(`${file}.next`, body)
    renameSync(`${file}.next`, file)
    await pause(300)
    const { status } = await fetch(`http://127.0.0.1:${gateway.port}/`)
    if (status === 200) served++
  }
  const after = residentMiB(gateway.child.pid!)
  const said = gateway.stderr().includes('routes.yml')
  await gateway.stop()
  await origin.stop()
  const ok = served === bodies.length && said && after - before < 400
  return {
    ok,
    measured: `${served} of ${bodies.length} broken files left the old routes serving; +${(after - before).toFixed(0)} MiB`,
  }
}

// A small linear generator: the same mutations in every run.
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const scraps = [
  '{',
  '}',
  '[',
  ']',
  ':',
  '-',
  '`',
  '"',
  '\n',
  '\t',
  '&a',
  '*a',
  '!!x',
  '\u0000',
  '💥',
  'null',
  '-1',
  '9e99',
  'rule',
  '|',
  '%',
]

function mutated(text: string, random: (below: number) => number): string {
  let out = text
  for (let i = 0; i <= random(4); i++) {
    const at = random(out.length)
    const kind = random(4)
    if (kind === 0) out = out.slice(0, at) + out.slice(at + 1 + random(8))
    else if (kind === 1) out = out.slice(0, at) + scraps[random(scraps.length)]! + out.slice(at)
    else if (kind === 2) out = out.slice(0, at)
    else out = out.slice(0, at) + out.slice(random(out.length), at) + out.slice(at)
  }
  return out
}

const clock: FaultRow = {
  number: 28,
  name: 'The clock of the machine jumps a day ahead and back',
  accept: 'no request fails, no connection is dropped: deadlines go by a clock that nobody can set',
  smoke: false,
  missing: () => (spawnSync('faketime', ['--version']).error ? 'faketime is not installed' : ''),
  run: async () => {
    const { mkdtempSync, writeFileSync, rmSync } = await import('node:fs')
    const { tmpdir } = await import('node:os')
    const { join } = await import('node:path')
    const folder = mkdtempSync(join(tmpdir(), 'sluice-clock-'))
    const file = join(folder, 'offset')
    writeFileSync(file, '+0\n')
    const preload = spawnSync('find', ['/usr/lib', '-name', 'libfaketimeMT.so.1'], {
      encoding: 'utf8',
    })
    const env = {
      LD_PRELOAD: preload.stdout.trim().split('\n')[0] ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    const origin = await startLedgerOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url]), env })
    const traffic = startTraffic({ port: gateway.port, perSecond: 100 })
    for (const offset of ['+1h', '-1h', '+1d', '-1d', '+0']) {
      writeFileSync(file, `${offset}\n`)
      await pause(2000)
    }
    await traffic.stop()
    await gateway.stop()
    await origin.stop()
    rmSync(folder, { recursive: true, force: true })
    const failed = traffic.failures().length
    return finding(failed === 0, `5 jumps: ${failed} of ${traffic.ended.length} failed`)
  },
}

const evil = ['(a+)+$', '(a|aa)+$', '(.*a){20}', '([a-zA-Z]+)*$', '^(([a-z])+.)+[A-Z]([a-z])+$']

const expressions: FaultRow = {
  number: 39,
  name: 'Regular expressions that explode',
  accept: 'no request costs 50 ms of CPU, or the expression is refused when it is read',
  smoke: true,
  run: async () => {
    const origin = await startLedgerOrigin()
    const routers = Object.fromEntries(
      evil.map((source, i) => [
        `r${i}`,
        { rule: `HeaderRegexp(\`X-E\`, \`${source}\`) && Host(\`e${i}.test\`)`, service: 'origin' },
      ]),
    )
    const routes = structuredClone(routesTo([origin.url])) as { http: { routers: Keys } }
    Object.assign(routes.http.routers, routers)
    const gateway = await startGateway({ routes: routes as unknown as Keys })
    const times: number[] = []
    for (let i = 0; i < evil.length; i++) {
      const headers = { Host: `e${i}.test`, 'X-E': `${'a'.repeat(4000)}!` }
      const before = cpuSeconds(gateway.child.pid!)
      await fetch(`http://127.0.0.1:${gateway.port}/`, { headers })
      times.push((cpuSeconds(gateway.child.pid!) - before) * 1000)
    }
    const refused = (gateway.stderr().match(/CONFIG_\w+/g) ?? []).length
    await gateway.stop()
    await origin.stop()
    const most = Math.max(...times)
    return finding(
      most < 250,
      `at the most ${most.toFixed(0)} ms of CPU, ${refused} refused when read`,
    )
  },
}

const CLIENTS = 6

const rotation: FaultRow = {
  number: 9,
  name: 'Certificates are exchanged under handshakes',
  accept:
    'no handshake fails; a pair that does not fit is refused and the one before it stays; each new one is seen within 1 s',
  smoke: false,
  run: async ({ full }) => {
    const authority = new TestAuthority()
    const [certFile, keyFile] = [
      `${authority.folder}/current.pem`,
      `${authority.folder}/current.key`,
    ]
    const swaps = full ? 100 : 10
    const leaves = Array.from({ length: swaps + 1 }, () => authority.issue('swap.example'))
    const install = ({ certFile: cert, keyFile: key }: Issued): void => {
      // One after the other, so that between the two the pair does not fit.
      for (const [from, to] of [
        [key, keyFile],
        [cert, certFile],
      ] as const) {
        copyFileSync(from, `${to}.next`)
        renameSync(`${to}.next`, to)
      }
    }
    install(leaves[0]!)
    const scene = await startTlsScene((origin) => ({
      http: { routers: routers({ all: ['Host(`swap.example`)', {}] }), services: service(origin) },
      tls: { certificates: [{ certFile, keyFile }] },
    }))
    const options = {
      ca: authority.root.certPem,
      rejectUnauthorized: true,
      servername: 'swap.example',
    }
    const seen = new Set<string>()
    let [running, handshakes, failed] = [true, 0, 0]
    const loops = Array.from({ length: CLIENTS }, async () => {
      while (running) {
        const made = await shake(scene.secure, options).catch(() => null)
        handshakes++
        if (made === null) failed++
        else {
          seen.add(made.serial)
          made.socket.destroy()
        }
      }
    })
    const times: number[] = []
    for (const leaf of leaves.slice(1)) {
      const serial = new X509Certificate(leaf.certPem).serialNumber
      const from = performance.now()
      install(leaf)
      await eventually('the new serial', () => seen.has(serial), 20_000)
      times.push(performance.now() - from)
    }
    running = false
    await Promise.all(loops)
    await scene.stop()
    authority.remove()
    const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!
    return finding(
      failed === 0 && median < 1000,
      `${swaps} swaps, ${failed} of ${handshakes} handshakes failed; seen after ${median.toFixed(0)} ms (median), ${Math.max(...times).toFixed(0)} ms at the most`,
    )
  },
}

export const configurationRows: readonly FaultRow[] = [
  reloads,
  large,
  garbage,
  rotation,
  clock,
  expressions,
]
