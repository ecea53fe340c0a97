// test/faults/rows.ts: all rows, in the order of their numbers.

import type { FaultRow } from './contract.ts'
import { clientRows } from './rows/clients.ts'
import { configurationRows } from './rows/configuration.ts'
import { crowdRows } from './rows/crowds.ts'
import { limitRows } from './rows/limits.ts'
import { machineRows } from './rows/machine.ts'
import { memoryRows } from './rows/memory.ts'
import { upstreamRows } from './rows/upstream.ts'
import { workerRows } from './rows/workers.ts'

export const faultRows: readonly FaultRow[] = [
  ...workerRows,
  ...configurationRows,
  ...upstreamRows,
  ...clientRows,
  ...crowdRows,
  ...limitRows,
  ...memoryRows,
  ...machineRows,
].toSorted((a, b) => a.number - b.number)
