// Runs a command in this process on files of its own, and keeps what it printed.

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runCommand } from '../../cli/main.ts'
import { withFolder } from '../admin/fixture.ts'

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

// The folder of the files stands in `out` and `err` as FOLDER.
export async function run(
  argv: readonly string[],
  files: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return withFolder(async (cwd) => {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(cwd, name)), { recursive: true })
      await writeFile(join(cwd, name), text)
    }
    let out = ''
    let err = ''
    const io = {
      out: (text: string) => void (out += text),
      err: (text: string) => void (err += text),
      env: {},
      cwd,
    }
    const code = await runCommand(argv, io)
    return { code, out: out.replaceAll(cwd, 'FOLDER'), err: err.replaceAll(cwd, 'FOLDER') }
  })
}

export const install = `
entryPoints:
  web:
    address: ":8000"
    forwardedHeaders:
      trustedIPs: ["10.0.0.0/8"]
    http:
      encodedCharacters:
        allowEncodedSlash: false
  other:
    address: ":9000"
providers:
  file:
    filename: routes.yml
`

export const routes = `
http:
  routers:
    shop:
      rule: Host(\`shop.test\`) && PathPrefix(\`/shop\`)
      entryPoints: [web]
      middlewares: [strip, guard]
      service: shop
    all:
      rule: PathPrefix(\`/\`)
      entryPoints: [web]
      service: mixed
    office:
      rule: ClientIP(\`192.0.2.0/24\`) && Path(\`/office\`)
      entryPoints: [web]
      middlewares: [old]
      service: shop
    tree:
      rule: PathPrefix(\`/tree\`)
      entryPoints: [web]
      middlewares: [mark]
    leaf:
      rule: PathPrefix(\`/tree/leaf\`)
      parentRefs: [tree]
      service: shop
    broken:
      rule: Path(\`/broken\`)
      entryPoints: [other]
      service: gone
  middlewares:
    strip:
      stripPrefix:
        prefixes: [/shop]
    guard:
      ipAllowList:
        sourceRange: [127.0.0.0/8]
    old:
      redirectRegex:
        regex: .*
        replacement: http://new.test/
    mark:
      headers:
        customRequestHeaders:
          X-Mark: hush
  services:
    shop:
      loadBalancer:
        servers:
          - url: http://10.1.0.1:80
          - url: http://10.1.0.2:80
            weight: 3
    mixed:
      weighted:
        services:
          - name: shop
            weight: 9
          - name: canary
            weight: 1
    canary:
      loadBalancer:
        passHostHeader: false
        servers:
          - url: http://10.2.0.1:80
`

export const files = { 'sluice.yml': install, 'routes.yml': routes }
