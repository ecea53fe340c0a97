import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ConfigError, formatProblem } from './located.ts'
import { loadStatic, quickstartPath, type LoadedStatic, type StaticInput } from './sources.ts'

interface Given {
  argv?: string[]
  env?: Record<string, string>
  files?: Record<string, string>
}

function load({ argv = [], env = {}, files = {} }: Given): LoadedStatic {
  const all = new Map(Object.entries({ [quickstartPath()]: quickstart, ...files }))
  const input: StaticInput = {
    argv,
    env,
    cwd: '/srv',
    home: '/home/me',
    readFile: (path) => all.get(path) ?? null,
    cores: 4,
  }
  return loadStatic(input)
}

function refusals(given: Given): string[] {
  try {
    load(given)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem)
    throw error
  }
  return []
}

const quickstart = 'entryPoints:\n  web:\n    address: ":8000"\n'
const file = '/srv/sluice.yml'

test('Flags win over the environment, and the environment over the file', () => {
  const files = {
    [file]:
      'workers: 1\nlog: {level: DEBUG, format: json, filePath: /f}\nentryPoints: {web: {address: ":1"}}\n',
  }
  const env = {
    SLUICE_WORKERS: '2',
    SLUICE_LOG_FORMAT: 'common',
    SLUICE_ENTRYPOINTS_WEB_ADDRESS: ':2',
  }
  const { config, file: used } = load({
    argv: ['--workers=3', '--entrypoints.WEB.Address=:3'],
    env,
    files,
  })
  expect(used).toBe(file)
  expect(config.workers).toBe(3)
  expect(config.log).toMatchObject({ level: 'DEBUG', format: 'common', filePath: '/f' })
  expect(load({ env, files }).config.workers).toBe(2)
  expect(load({ env, files }).config.entryPoints['web']?.address).toBe(':2')
  expect(load({ files }).config.workers).toBe(1)
})

test('A list of a stronger source replaces the whole list of a weaker one', () => {
  const files = {
    [file]:
      'entryPoints: {web: {address: ":1", forwardedHeaders: {trustedIPs: [10.0.0.1, 10.0.0.2]}}}',
  }
  const argv = ['--entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.3']
  const { config } = load({ argv, files })
  expect(config.entryPoints['web']?.forwardedHeaders.trustedIPs).toEqual(['10.0.0.3'])
})

test('A block is switched off by a stronger source', () => {
  const files = { [file]: 'api: {insecure: true}\nping: {}\nentryPoints: {web: {address: ":1"}}' }
  const { config } = load({ argv: ['--api=false'], env: { SLUICE_PING: 'false' }, files })
  expect(config.api).toBeNull()
  expect(config.ping).toBeNull()
  expect(load({ files }).config.ping?.terminatingStatusCode).toBe(503)
})

test('Workers default to the number of cores', () => {
  expect(load({}).config.workers).toBe(4)
})

test.each<[string[], string]>([
  [['--entryPoints.web.address=:80'], ':80'],
  [['--entrypoints.web.address', ':80'], ':80'],
  [['-entrypoints.web.address=:80'], ':80'],
  [['--ENTRYPOINTS.web.ADDRESS=:80'], ':80'],
  [['--entryPoints.web.address=:1', '--entryPoints.web.address=:80'], ':80'],
  [['--entryPoints.web.address=:1', '--entryPoints.web.Address=:80'], ':80'],
])('The flags %j set the address', (argv, address) => {
  expect(load({ argv }).config.entryPoints['web']?.address).toBe(address)
})

test('Switches need no value and never take the next argument', () => {
  const argv = [
    '--entrypoints.web.address=:1',
    '--api',
    '--entrypoints.web.asdefault',
    '--workers',
    '7',
  ]
  const { config } = load({ argv })
  expect(config.api?.dashboard).toBe(true)
  expect(config.entryPoints['web']?.asDefault).toBe(true)
  expect(config.workers).toBe(7)
})

test('A switch beside a key of its block changes nothing', () => {
  for (const argv of [
    ['--api', '--api.insecure'],
    ['--api.insecure', '--api=true'],
  ]) {
    expect(load({ argv }).config.api?.insecure).toBe(true)
  }
})

test('Lists may be repeated, separated by commas, or given by index', () => {
  const name = '--entrypoints.web.forwardedheaders.trustedips'
  const web = '--entrypoints.web.address=:1'
  const ips = (argv: string[]) =>
    load({ argv: [web, ...argv] }).config.entryPoints['web']?.forwardedHeaders.trustedIPs
  expect(ips([`${name}=10.0.0.1,10.0.0.0/8`])).toEqual(['10.0.0.1', '10.0.0.0/8'])
  expect(ips([`${name}=10.0.0.1`, `${name}=10.0.0.2`])).toEqual(['10.0.0.1', '10.0.0.2'])
  expect(ips([`${name}[0]=10.0.0.1`, `${name}[1]=10.0.0.2`])).toEqual(['10.0.0.1', '10.0.0.2'])
  const domains = '--entrypoints.web.http.tls.domains'
  const { config } = load({
    argv: [
      web,
      `${domains}[0].main=a.example`,
      `${domains}[0].sans=b.example,c.example`,
      `${domains}[1].main=d`,
    ],
  })
  expect(config.entryPoints['web']?.http.tls?.domains).toEqual([
    { main: 'a.example', sans: ['b.example', 'c.example'] },
    { main: 'd', sans: [] },
  ])
})

test.each([
  [
    '--entrypoints.web.adress=:80',
    '--entrypoints.web.adress: unknown key "adress" in entrypoints.web (did you mean "--entrypoints.web.address"?)',
  ],
  ['--wrokers=2', '--wrokers: unknown key "wrokers" (did you mean "--workers"?)'],
  ['--workers', '--workers: needs a value'],
  ['--workers=many', '--workers: workers: expected a number, got "many"'],
  ['--workers=0', '--workers: workers: must be at least 1'],
  ['--workers=1.5', '--workers: workers: expected a whole number'],
  [
    '--log.level=loud',
    '--log.level: log.level: expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, PANIC, got "loud"',
  ],
  [
    '--log.level=debgu',
    '--log.level: log.level: expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, PANIC, got "debgu" (did you mean "DEBUG"?)',
  ],
  ['--ping=maybe', '--ping: ping: expected true, false or a map, got "maybe"'],
  ['--api.basepath=x', '--api.basepath: api.basePath: is not a path such as /gateway'],
  ['serve', 'serve: is not a flag; flags look like --workers=2'],
  ['--__proto__.x=1', '--__proto__.x: is not the name of a flag'],
  ['--a[99999]=1', '--a[99999]: is not the name of a flag'],
  ['--configFile', '--configFile: needs a value'],
  ['--configFile=missing.yml', '/srv/missing.yml: there is no such file, or it cannot be read'],
  [
    '--entrypoints.web.address=:8o',
    '--entrypoints.web.address: entryPoints.web.address: is not an address such as :80, 127.0.0.1:8080, [::1]:443/tcp or :53/udp',
  ],
])('The flag %s is refused by its name', (flag, wanted) => {
  expect(refusals({ argv: [flag] })).toEqual([wanted])
})

test('Variables of both names count, and those of Sluice win', () => {
  const env = {
    TRAEFIK_ENTRYPOINTS_WEB_ADDRESS: ':1',
    SLUICE_ENTRYPOINTS_WEB_ADDRESS: ':2',
    TRAEFIK_ENTRYPOINTS_WEB_HTTP_TLS_DOMAINS_0_MAIN: 'a.example',
    TRAEFIK_API: 'true',
    SLUICE_ENTRYPOINTS_MY_OTHER_ONE_TRANSPORT_RESPONDINGTIMEOUTS_IDLETIMEOUT: '5',
    SLUICE_ENTRYPOINTS_MY_OTHER_ONE_ADDRESS: ':3',
  }
  const { config } = load({ env })
  expect(config.entryPoints['web']?.address).toBe(':2')
  expect(config.entryPoints['web']?.http.tls?.domains[0]?.main).toBe('a.example')
  expect(config.api?.insecure).toBe(false)
  expect(config.entryPoints['my_other_one']?.address).toBe(':3')
  expect(config.entryPoints['my_other_one']?.transport.respondingTimeouts.idleTimeout).toBe(5000)
})

test.each([
  [
    'SLUICE_WROKERS',
    '2',
    'environment (SLUICE_WROKERS): unknown key "wrokers" (did you mean "SLUICE_WORKERS"?)',
  ],
  [
    'SLUICE_ENTRYPOINTS_WEB_ADRESS',
    ':1',
    'environment (SLUICE_ENTRYPOINTS_WEB_ADRESS): unknown key "adress" in entrypoints.web (did you mean "SLUICE_ENTRYPOINTS_WEB_ADDRESS"?)',
  ],
  [
    'TRAEFIK_ENTRYPOINTS_WEB_ADRESS',
    ':1',
    'environment (TRAEFIK_ENTRYPOINTS_WEB_ADRESS): unknown key "adress" in entrypoints.web (did you mean "SLUICE_ENTRYPOINTS_WEB_ADDRESS"?)',
  ],
  ['SLUICE_WORKERS', 'x', 'environment (SLUICE_WORKERS): workers: expected a number, got "x"'],
  [
    'SLUICE_ENTRYPOINTS___PROTO___ADDRESS',
    ':1',
    'environment (SLUICE_ENTRYPOINTS___PROTO___ADDRESS): is not the name of a setting',
  ],
  ['SLUICE_CONFIGFILE', 'x.yml', '/srv/x.yml: there is no such file, or it cannot be read'],
])('The variable %s=%s is refused by its name', (name, text, wanted) => {
  expect(refusals({ env: { [name]: text } })).toEqual([wanted])
})

test('What Kubernetes and images put into the environment does no harm', () => {
  const env = {
    TRAEFIK_PORT: 'tcp://10.0.0.1:80',
    TRAEFIK_SERVICE_HOST: '10.0.0.1',
    SLUICE_PORT_80_TCP_ADDR: '10.0.0.1',
    SLUICE_SERVICE_PORT_WEB: '80',
    TRAEFIK_VERSION: '3.7.9',
    PATH: '/bin',
  }
  const { problems } = load({ env })
  expect(problems.map(formatProblem)).toEqual([
    'environment (TRAEFIK_VERSION): is not a setting and is ignored',
  ])
})

test.each([
  ['/etc/sluice/sluice.yml'],
  ['/etc/traefik/traefik.toml'],
  ['/xdg/sluice.yaml'],
  ['/home/me/.config/traefik.yaml'],
  ['/srv/traefik.yml'],
])('Without a name, %s is found', (path) => {
  const text = path.endsWith('toml') ? 'workers = 9\n' : 'workers: 9\n'
  const loaded = load({ files: { [path]: text }, env: { XDG_CONFIG_HOME: '/xdg' } })
  expect(loaded.file).toBe(path)
  expect(loaded.config.workers).toBe(9)
})

test("Sluice's own file name wins over Traefik's, and a named file over both", () => {
  const files = {
    '/etc/traefik/traefik.yml': 'workers: 1',
    '/srv/sluice.yml': 'workers: 2',
    '/srv/conf/a.toml': 'workers = 3',
    '/srv/b.yml': 'workers: 4',
  }
  expect(load({ files }).config.workers).toBe(2)
  expect(load({ files, argv: ['--configfile=conf/a.toml'] }).config.workers).toBe(3)
  expect(load({ files, argv: ['--configFile', 'conf/a.toml'] }).config.workers).toBe(3)
  expect(load({ files, env: { TRAEFIK_CONFIGFILE: 'b.yml' } }).config.workers).toBe(4)
})

test('Given nothing but switches, the quickstart runs; given entry points, it does not', () => {
  expect(load({}).file).toBe(quickstartPath())
  expect(load({ argv: ['--workers=1'] }).file).toBe(quickstartPath())
  expect(load({ argv: ['--entrypoints.web.address=:1'] }).file).toBeNull()
})

test('Problems of every source are reported together', () => {
  const given = {
    argv: ['--wrokers=1'],
    env: { SLUICE_LOG_LEVLE: 'x' },
    files: { [file]: 'log:\n  fromat: json\n' },
  }
  expect(refusals(given)).toEqual([
    '--wrokers: unknown key "wrokers" (did you mean "--workers"?)',
    'environment (SLUICE_LOG_LEVLE): unknown key "levle" in log (did you mean "SLUICE_LOG_LEVEL"?)',
    '/srv/sluice.yml:2:3: unknown key "fromat" in log (did you mean "format"?)',
  ])
})

test('A problem of the whole stands where the source that caused it put it', () => {
  const files = { [file]: 'entryPoints:\n  web: {address: ":80"}\n  b: {address: ":81"}\n' }
  expect(refusals({ files, argv: ['--entrypoints.b.address=0.0.0.0:80'] })).toEqual([
    '--entrypoints.b.address: entryPoints.b.address: 0.0.0.0:80 is already taken by entry point "web"',
  ])
  expect(refusals({ files, argv: ['--entrypoints.c.asdefault'] })).toEqual([
    '--entrypoints.c.asdefault: entryPoints.c.address is required',
  ])
})

test('Routes are looked for in the working directory, then beside the file that names them', () => {
  const text = 'providers: {file: {filename: routes.yml}}'
  const argv = ['--configFile=conf/a.yml']
  const filename = (files: Record<string, string>) =>
    load({ argv, files: { '/srv/conf/a.yml': text, ...files } }).config.providers.file?.filename
  expect(filename({})).toBe('/srv/routes.yml')
  expect(filename({ '/srv/conf/routes.yml': '' })).toBe('/srv/conf/routes.yml')
  expect(filename({ '/srv/conf/routes.yml': '', '/srv/routes.yml': '' })).toBe('/srv/routes.yml')
})

test('What has no effect yet is one warning over all sources', () => {
  const files = { [file]: 'tracing: {otlp: {http: {}}}\nproviders: {docker: {watch: false}}\n' }
  const argv = [
    '--entrypoints.dns.address=:53/udp',
    '--entrypoints.web.http3=true',
    '--entrypoints.web.address=:1',
  ]
  const { notYet, problems } = load({ files, argv })
  expect(notYet).toEqual([
    'entryPoints.web.http3 (without frontedBy; see docs/http3.md)',
    'providers.docker',
    'tracing',
  ])
  expect(problems.map(formatProblem)).toEqual([
    `${file}: accepted, but without effect in this version: ${notYet.join(', ')}`,
  ])
  expect(problems[0]?.severity).toBe('warning')
})

test('The quickstart lies beside the schemas', () => {
  expect(quickstartPath()).toBe(join(import.meta.dirname, 'examples', 'quickstart.yml'))
})

test('No flag, variable or file makes the loader throw anything but a ConfigError', () => {
  const word = fc.constantFrom(
    'entryPoints',
    'web',
    'address',
    'api',
    'http',
    'tls',
    'domains[0]',
    'main',
    'providers',
    'file',
    'filename',
    'workers',
    'constructor',
    'toString',
    '__proto__',
    'names',
    'accessLog',
    'fields',
    'headers',
    '',
    'x',
    '[0]',
    'certificatesResolvers',
    'acme',
  )
  const name = fc.array(word, { minLength: 1, maxLength: 7 })
  const text = fc.constantFrom('', 'true', 'false', ':80', '1', 'a,b', '\u0000', '{}', '-1')
  const pair = fc.tuple(name, text)
  const clean = Object.getOwnPropertyNames(Object.prototype).length
  fc.assert(
    fc.property(
      fc.array(pair, { maxLength: 5 }),
      fc.array(pair, { maxLength: 5 }),
      (flags, variables) => {
        const argv = flags.map(([names, value]) => `--${names.join('.')}=${value}`)
        const env = Object.fromEntries(
          variables.map(([names, value]) => [`SLUICE_${names.join('_').toUpperCase()}`, value]),
        )
        refusals({ argv, env })
        return Object.getOwnPropertyNames(Object.prototype).length === clean
      },
    ),
    { numRuns: 2000 },
  )
})
