// bench/peers/floor.ts: the cheapest proxy that Node can be: see floor-process.ts. The yardstick where nginx is
// not installed, as on a plain CI machine.

import path from 'node:path'
import { freePorts, startChild } from '../children.ts'
import { benchFolder } from '../folders.ts'
import { waitForStatus } from '../http.ts'
import type { Peer, PeerOptions, RunningPeer } from './contract.ts'
import { OPEN_FILES_MAX } from './contract.ts'

export const floor: Peer = { name: 'floor', isAvailable: () => true, start }

async function start(options: PeerOptions): Promise<RunningPeer> {
  const [port = 0] = await freePorts(1)
  const script = path.join(benchFolder, 'peers', 'floor-process.ts')
  const flag = '--disable-warning=ExperimentalWarning'
  const command = [process.execPath, flag, script, String(port), String(options.originPort)]
  const child = startChild(command, {
    name: 'floor',
    cores: options.cores,
    openFilesMax: OPEN_FILES_MAX,
    env: options.env,
  })
  await waitForStatus(child, port, '/', 200)
  return { child, port, adminPort: null, dynamicFile: null, stop: () => child.stop() }
}
