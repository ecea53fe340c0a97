// bench/peers/sluice.ts: Sluice itself, started as a user starts it: bin/sluice --configFile=FILE, with metrics on and
// the access log off.

import { existsSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { freePorts, startChild } from '../children.ts'
import { makeWorkFolder, repositoryFolder } from '../folders.ts'
import { waitForStatus } from '../http.ts'
import { waitForPeer } from '../ready.ts'
import type { Peer, PeerOptions, RunningPeer } from './contract.ts'
import { OPEN_FILES_MAX } from './contract.ts'
import { dynamicText, staticText } from './sluice-config.ts'

export const sluice: Peer = {
  name: 'sluice',
  isAvailable: () => existsSync(path.join(repositoryFolder, 'main.ts')),
  start,
}

async function start(options: PeerOptions): Promise<RunningPeer> {
  const peer = await launch(options)
  await waitForStatus(peer.child, peer.adminPort, '/ready', 200, 30_000)
  if (options.protocol !== 'http') await waitForPeer(peer.child, options, peer.port)
  return peer
}

export type LaunchedSluice = RunningPeer & {
  readonly adminPort: number
  readonly dynamicFile: string
}

// Without waiting: the start scenario wants to see the first answer itself.
export async function launch(options: PeerOptions): Promise<LaunchedSluice> {
  const [web = 0, admin = 0] = await freePorts(2)
  const folder = makeWorkFolder(`sluice-${web}`)
  const staticFile = path.join(folder, 'sluice.yml')
  const dynamicFile = path.join(folder, 'dynamic.yml')
  writeFileSync(dynamicFile, dynamicText(options))
  writeFileSync(staticFile, staticText(options, { web, admin }, dynamicFile))
  const launcher = path.join(repositoryFolder, 'bin', 'sluice')
  const child = startChild([launcher, `--configFile=${staticFile}`], {
    name: `sluice-${options.engine}`,
    cores: options.cores,
    openFilesMax: OPEN_FILES_MAX,
    cwd: folder,
    env: options.env,
  })
  return { child, port: web, adminPort: admin, dynamicFile, stop: () => child.stop() }
}

// Replaced by a rename, as every careful writer of configuration does.
export function rewriteDynamicFile(dynamicFile: string, text: string): void {
  writeFileSync(`${dynamicFile}.next`, text)
  renameSync(`${dynamicFile}.next`, dynamicFile)
}
