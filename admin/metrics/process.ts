// admin/metrics/process.ts: what the process says of itself, by prom-client's registry and format.
//
// prom-client's own default metrics are not used: they start an event-loop monitor and observers of the
// garbage collector that cost time all the while, not only when somebody scrapes. Hot: no.

import { readdir, readFile } from 'node:fs/promises'
import process from 'node:process'
import { getHeapStatistics } from 'node:v8'
import { Counter, Gauge, Registry } from 'prom-client'
import { processFacts } from './catalogue.ts'

type Read = () => number | null | Promise<number | null> // null: unknown on this system

const reads: Readonly<Record<string, Read>> = {
  process_cpu_seconds_total: cpuSeconds,
  process_start_time_seconds: () => Math.round(Date.now() / 1000 - process.uptime()),
  process_resident_memory_bytes: residentBytes,
  process_open_fds: openFiles,
  process_max_fds: filesMax,
  nodejs_heap_size_total_bytes: () => getHeapStatistics().total_heap_size,
  nodejs_heap_size_used_bytes: () => getHeapStatistics().used_heap_size,
  nodejs_external_memory_bytes: () => getHeapStatistics().external_memory,
  nodejs_version_info: () => 1,
}

export function processRegistry(): Registry {
  const registry = new Registry()
  for (const { name, help, type, labels } of processFacts) {
    const read = reads[name]!
    const options = { name, help, labelNames: labels, registers: [registry] }
    const labelled = labels.includes('version') ? { version: process.version } : {}
    if (type === 'counter') {
      const counter = new Counter({
        ...options,
        collect: () => set(read, (v) => refill(counter, v)),
      })
    } else {
      const gauge = new Gauge({
        ...options,
        collect: () => set(read, (value) => gauge.set(labelled, value)),
      })
    }
  }
  return registry
}

async function set(read: Read, take: (value: number) => void): Promise<void> {
  const value = await read()
  if (value !== null) take(value)
}

function refill(counter: Counter, value: number): void {
  counter.reset()
  counter.inc(value)
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

// Node opens /proc for it, which fails in a process without a descriptor left.
function residentBytes(): number | null {
  try {
    return process.memoryUsage.rss()
  } catch {
    return null
  }
}

async function openFiles(): Promise<number | null> {
  const entries = await readdir('/proc/self/fd').catch(() => null)
  return entries === null ? null : entries.length - 1 // less the one that reads the folder
}

async function filesMax(): Promise<number | null> {
  const limits = await readFile('/proc/self/limits', 'latin1').catch(() => '')
  const match = /^Max open files\s+(\d+)/m.exec(limits)
  return match === null ? null : Number(match[1])
}
