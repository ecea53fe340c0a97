// The files of deploy/ are what they say: YAML parses, the configuration inside starts, the unit starts what there is.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { expect, test } from 'vitest'
import { gatewayFacts, workerFacts } from '../../admin/metrics/catalogue.ts'
import { compile } from '../../config/compile.ts'
import { parseLocated } from '../../config/located.ts'
import { loadStatic } from '../../config/sources.ts'
import { testFacts } from '../support/facts.ts'

const repository = join(import.meta.dirname, '../..')

function read(path: string): string {
  return readFileSync(join(repository, 'deploy', path), 'utf8')
}

interface CloudInit {
  readonly write_files: readonly { readonly path: string; readonly content: string }[]
  readonly runcmd: readonly string[]
}

function cloudInit(): CloudInit {
  return load(read('harvester/cloud-init.yml')) as CloudInit
}

function fileOf(path: string): string {
  return cloudInit().write_files.find((file) => file.path === path)!.content
}

// Section -> key -> values, as systemd reads it.
function unitKeys(text: string): Map<string, string[]> {
  const keys = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#') || line.startsWith('[')) continue
    const at = line.indexOf('=')
    const key = line.slice(0, at)
    keys.set(key, [...(keys.get(key) ?? []), line.slice(at + 1)])
  }
  return keys
}

test('The install configuration of the virtual machine starts without a complaint', () => {
  const text = fileOf('/etc/sluice/sluice.yml')
  const readFile = (path: string) => (path === '/etc/sluice/sluice.yml' ? text : null)
  const argv = ['--configFile=/etc/sluice/sluice.yml']
  const { config, problems } = loadStatic({ argv, env: {}, cwd: '/', readFile, cores: 2 })
  expect(problems).toEqual([])
  expect(config.providers.file?.directory).toBe('/etc/sluice/routes')
  const routes = cloudInit().write_files.filter(({ path }) =>
    path.startsWith('/etc/sluice/routes/'),
  )
  expect(routes.length).toBeGreaterThan(0)
  for (const { path, content } of routes) {
    const docs = new Map([['file', [parseLocated(content, path)]]])
    expect(compile(docs, testFacts(), 1).problems).toEqual([])
  }
})

test('What the virtual machine copies from the repository is there', () => {
  const copied = cloudInit().runcmd.flatMap(
    (line) => line.match(/\/opt\/sluice\/deploy\/\S+/g) ?? [],
  )
  expect(copied.length).toBeGreaterThan(1)
  for (const path of copied)
    expect(existsSync(join(repository, path.slice('/opt/sluice/'.length)))).toBe(true)
})

test('The virtual machine names its volumes and networks consistently', () => {
  interface Named {
    readonly name: string
  }
  const manifest = load(read('harvester/vm.yml')) as {
    kind: string
    metadata: { annotations: Record<string, string> }
    spec: {
      template: {
        spec: {
          domain: { devices: { disks: Named[]; interfaces: Named[] } }
          volumes: (Named & { persistentVolumeClaim?: { claimName: string } })[]
          networks: Named[]
        }
      }
    }
  }
  expect(manifest.kind).toBe('VirtualMachine')
  const { domain, volumes, networks } = manifest.spec.template.spec
  const names = (list: readonly Named[]) => list.map(({ name }) => name).toSorted()
  expect(names(domain.devices.disks)).toEqual(names(volumes))
  expect(names(domain.devices.interfaces)).toEqual(names(networks))
  const templates = manifest.metadata.annotations['harvesterhci.io/volumeClaimTemplates']!
  const claims = JSON.parse(templates) as { metadata: Named }[]
  const claimed = volumes.flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? [])
  expect(claims.map((claim) => claim.metadata.name)).toEqual(claimed)
})

test('The unit starts the program, gives it time to drain, and reopens logs on reload', () => {
  const keys = unitKeys(read('systemd/sluice.service'))
  expect(keys.get('Type')).toEqual(['simple'])
  expect(keys.get('ExecStart')).toEqual([
    '/opt/sluice/bin/sluice --configFile=/etc/sluice/sluice.yml',
  ])
  expect(statSync(join(repository, 'bin/sluice')).mode & 0o111).toBe(0o111)
  expect(keys.get('ExecReload')).toEqual(['/bin/kill -USR1 $MAINPID'])
  expect(keys.get('KillMode')).toEqual(['mixed'])
  const seconds = Number(/^(\d+)s$/.exec(keys.get('TimeoutStopSec')![0]!)![1])
  const { config } = loadStatic({
    argv: ['--configFile=/x.yml'],
    env: {},
    cwd: '/',
    readFile: (path) => (path === '/x.yml' ? fileOf('/etc/sluice/sluice.yml') : null),
    cores: 1,
  })
  const { lifeCycle } = config.entryPoints['web']!.transport
  expect(seconds * 1000).toBeGreaterThan(
    lifeCycle.graceTimeOut + lifeCycle.requestAcceptGraceTimeout,
  )
})

test('The kernel settings are settings, each once, with the one that upgrades need', () => {
  const lines = read('sysctl/90-sluice.conf')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  for (const line of lines) expect(line).toMatch(/^net\.[a-z0-9_.]+ = \d+(?: \d+)?$/)
  const names = lines.map((line) => line.split(' ')[0])
  expect(new Set(names).size).toBe(names.length)
  expect(lines).toContain('net.ipv4.tcp_migrate_req = 1')
})

test('The alerts ask for metrics that exist', () => {
  const scrape = load(read('prometheus/scrape.yml')) as { rule_files: string[] }
  const known = new Set([...workerFacts, ...gatewayFacts].map(({ name }) => name))
  for (const file of scrape.rule_files) {
    const { groups } = load(read(`prometheus/${file}`)) as {
      groups: { rules: { alert: string; expr: string }[] }[]
    }
    for (const { expr } of groups.flatMap(({ rules }) => rules)) {
      const asked = expr.match(/\b(?:sluice|traefik)_\w+/g) ?? []
      expect(asked.length).toBeGreaterThan(0)
      for (const name of asked) expect(known, expr).toContain(name)
    }
  }
})
