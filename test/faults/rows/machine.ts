// Rows 15, 22, 27 and 29: what the machine does: networks, cores, disks, names.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, freePorts, routesTo, startGateway } from '../../support/gateway.ts'
import { eventually } from '../../support/wait.ts'
import { type FaultRow, finding } from '../contract.ts'
import { pause, startLedgerOrigin, startTraffic } from '../ledger.ts'
import { descriptors } from '../memory.ts'

const fullDisk: FaultRow = {
  number: 27,
  name: 'The disk of the access log is full',
  accept: 'requests are not disturbed; it is said once; what is lost is counted',
  smoke: true,
  run: async () => {
    const origin = await startLedgerOrigin()
    const statics = { accessLog: { filePath: '/dev/full' } }
    const gateway = await startGateway({ routes: routesTo([origin.url]), static: statics })
    const traffic = startTraffic({ port: gateway.port, perSecond: 200 })
    await pause(4000)
    await traffic.stop()
    const said = gateway.stderr().match(/access log/g)?.length ?? 0
    await gateway.stop()
    await origin.stop()
    const failed = traffic.failures().length
    return finding(
      failed === 0 && said === 1,
      `${failed} of ${traffic.ended.length} failed; said ${said} times (lines wait up to 16 MiB, then are counted)`,
    )
  },
}

const starved: FaultRow = {
  number: 22,
  name: 'Others take the processors',
  accept: 'no request fails; as fast as before within 2 s after it',
  smoke: false,
  missing: () => (spawnSync('stress-ng', ['--version']).error ? 'stress-ng is not installed' : ''),
  run: async () => {
    const origin = await startLedgerOrigin()
    const gateway = await startGateway({ routes: routesTo([origin.url]) })
    const traffic = startTraffic({ port: gateway.port, perSecond: 100 })
    await pause(4000)
    const from = performance.now()
    const stress = spawn('stress-ng', ['--cpu', '2', '--timeout', '10s'], { stdio: 'ignore' })
    await new Promise((resolve) => stress.once('close', resolve))
    const to = performance.now()
    await pause(6000)
    await traffic.stop()
    await gateway.stop()
    await origin.stop()
    const failed = traffic.failures().length
    const [calm, busy, after] = [
      traffic.quantile(0.9, 0, from),
      traffic.quantile(0.9, from, to),
      traffic.quantile(0.9, to + 2000),
    ]
    return finding(
      failed === 0 && after < calm * 3,
      `${failed} of ${traffic.ended.length} failed; p90 ${calm.toFixed(1)}, ${busy.toFixed(1)}, after it ${after.toFixed(1)} ms`,
    )
  },
}

// Names are looked up by the system: in a mount namespace of its own the gateway has its own hosts file.
const names: FaultRow = {
  number: 29,
  name: 'Names: a thousand addresses, another one, none at all',
  accept: 'a name that can no longer be resolved keeps its last address; nothing stands still',
  smoke: false,
  missing: () => (canUnshare() ? '' : 'mount namespaces can not be made here'),
  run: async () => {
    const [first, second] = [await startLedgerOrigin(), await startLedgerOrigin()]
    const folder = mkdtempSync(join(tmpdir(), 'sluice-names-'))
    const [hosts, resolv] = [join(folder, 'hosts'), join(folder, 'resolv.conf')]
    const many = Array.from({ length: 1000 }, (_, i) => `127.9.${i >> 8}.${i & 255} many.test\n`)
    const write = (address: string): void =>
      writeFileSync(hosts, `127.0.0.1 localhost\n${address}${many.join('')}`)
    write('127.0.0.1 app.test\n')
    writeFileSync(resolv, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
    const mounts = `mount --bind ${hosts} /etc/hosts && mount --bind ${resolv} /etc/resolv.conf`
    const through = ['unshare', '-m', 'sh', '-c', `${mounts} && exec "$0" "$@"`]
    const transport = { dnsRefresh: '500ms', forwardingTimeouts: { dialTimeout: '2s' } }
    const urls = [`http://app.test:${first.port}`]
    const gateway = await startGateway({ routes: routesTo(urls, transport), through })
    const traffic = startTraffic({ port: gateway.port, perSecond: 100 })
    await pause(2000)
    write('') // the name is gone
    await pause(3000)
    write('127.0.0.1 app.test\n')
    await pause(1500)
    await traffic.stop()
    gateway.writeRoutes(routesTo([`http://many.test:${second.port}`], transport))
    await pause(2000)
    const from = performance.now()
    const { status } = await fetch(`http://127.0.0.1:${gateway.port}/`)
    const ms = performance.now() - from
    await gateway.stop()
    await Promise.all([first.stop(), second.stop()])
    rmSync(folder, { recursive: true, force: true })
    const failed = traffic.failures().length
    return finding(
      failed === 0 && ms < 5000,
      `${failed} of ${traffic.ended.length} failed while the name was gone; a name of 1,000 dead addresses: ${status} after ${ms.toFixed(0)} ms`,
    )
  },
}

function canUnshare(): boolean {
  return spawnSync('unshare', ['-m', 'true']).status === 0
}

// Clients behind a link that goes down: no FIN, no reset, nothing.
const halfOpen: FaultRow = {
  number: 15,
  name: 'Clients vanish without a word',
  accept: 'their connections are given up by deadlines, descriptors come back',
  smoke: false,
  missing: () => (canAddNamespace() ? '' : 'network namespaces can not be made here'),
  run: async () => {
    const origin = await startLedgerOrigin()
    const net = new TestNetwork()
    const [port = 0] = await freePorts(1)
    const outside = {
      address: `${net.inner}:${port}`,
      transport: { respondingTimeouts: { idleTimeout: '4s', writeStallTimeout: '4s' } },
    }
    try {
      const routes = routesTo([origin.url]) as { http: { routers: { all: Keys } } }
      const all = { ...routes.http.routers.all, entryPoints: ['web', 'outside'] }
      const both = { ...routes, http: { ...routes.http, routers: { all } } }
      const gateway = await startGateway({ routes: both, entryPoints: { outside } })
      const before = descriptors(gateway.child.pid!)
      const clients = net.spawnClients(port, 50)
      await eventually('them to be there', () => descriptors(gateway.child.pid!) >= before + 50)
      net.down()
      const from = performance.now()
      await eventually('descriptors', () => descriptors(gateway.child.pid!) <= before + 5, 120_000)
      const ms = performance.now() - from
      clients.kill('SIGKILL')
      await gateway.stop()
      return finding(
        ms < 120_000,
        `50 clients: all given up ${(ms / 1000).toFixed(1)} s after they vanished`,
      )
    } finally {
      net.remove()
      await origin.stop()
    }
  },
}

function canAddNamespace(): boolean {
  const name = `sluice-try-${process.pid}`
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return false
  spawnSync('ip', ['netns', 'del', name])
  return true
}

// A namespace of its own and a pair of links into it.
class TestNetwork {
  readonly inner = '10.213.77.1'
  private readonly name = `sluice-${process.pid}`

  constructor() {
    const { name } = this
    for (const words of [
      `netns add ${name}`,
      `link add slu0 type veth peer name slu1 netns ${name}`,
      `addr add ${this.inner}/24 dev slu0`,
      'link set slu0 up',
      `netns exec ${name} ip addr add 10.213.77.2/24 dev slu1`,
      `netns exec ${name} ip link set slu1 up`,
    ])
      spawnSync('ip', words.split(' '))
  }

  spawnClients(port: number, count: number): ChildProcess {
    const script = `const net=require('net');for(let i=0;i<${count};i++){const s=net.connect(${port},'${this.inner}');
      s.on('error',()=>{});s.on('data',()=>{});s.write('GET / HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n')}setInterval(()=>{},1000)`
    const words = ['netns', 'exec', this.name, process.execPath, '-e', script]
    return spawn('ip', words, { stdio: 'ignore' })
  }

  down(): void {
    spawnSync('ip', ['netns', 'exec', this.name, 'ip', 'link', 'set', 'slu1', 'down'])
  }

  remove(): void {
    spawnSync('ip', ['link', 'del', 'slu0'])
    spawnSync('ip', ['netns', 'del', this.name])
  }
}

export const machineRows: readonly FaultRow[] = [halfOpen, fullDisk, starved, names]
