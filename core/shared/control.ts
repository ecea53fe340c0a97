// core/shared/control.ts: the control block that all threads of a process share.
//
// One Int32Array over a SharedArrayBuffer. The supervisor writes the first row; each worker writes its own
// row and nobody else's, so there are no locks: a store, a load, and at the most a notify.
//
//   row 0            GENERATION | DRAIN | READY | DESCRIPTORS_MAX ...
//   row 1 + worker   ADOPTED | HEARTBEAT | CONNECTIONS | IN_FLIGHT | LOOP_DELAY_MAX_US ...

const ROW = 16 // 64 bytes: one cache line a row, so that writers do not disturb each other

// Row 0, written by the supervisor.
export const GENERATION = 0 // the generation that every request shall be served by
export const DRAIN = 1 // one of DRAIN_*
export const READY = 2 // 1 once the first complete generation was adopted everywhere
export const MEMORY_STAGE = 4 // of core/overload/stages.ts, by the memory of the process
export const DESCRIPTORS_MAX = 3 // file descriptors that the process may have; 0: unknown

export const DRAIN_NONE = 0
export const DRAIN_LEAVING = 1 // SIGTERM came; each entry point ends by its own times (workers/drain.ts)

// A worker's row.
export const ADOPTED = 0 // number of the generation that it serves by
export const HEARTBEAT = 1 // a number that it changes every HEARTBEAT_INTERVAL_MS
export const CONNECTIONS = 2 // downstream connections open
export const IN_FLIGHT = 3 // exchanges under way
export const LOOP_DELAY_MAX_US = 4 // longest turn since the supervisor last took it (exchanged for 0)
export const UPSTREAM_CONNECTIONS = 5
export const OVERLOAD_STAGE = 7 // of core/overload/stages.ts
export const HELD_BYTES = 6 // bytes waiting for slow readers

export const HEARTBEAT_INTERVAL_MS = 500

export function controlBytes(workersMax: number): number {
  return (1 + workersMax) * ROW * 4
}

export function rowOf(worker: number): number {
  return (1 + worker) * ROW
}
