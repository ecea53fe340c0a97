// Rows 15, 22, 27 and 29: what the machine does: networks, cores, disks, names.

import { spawn, spawnSync } from 'node:child_process'
import { startGateway, routesTo } from '../../support/gateway.ts'
import { type FaultRow, finding } from '../contract.ts'
import { pause, startLedgerOrigin, startTraffic } from '../ledger.ts'

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

export const machineRows: readonly FaultRow[] = [fullDisk, starved]
