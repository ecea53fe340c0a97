// workers/worker.ts: the main function of a worker thread: listens, serves, adopts generations, drains.
//
// A worker reads no files (but see downstream/uws/key-files.ts) and waits for nobody: all it knows comes by workerData and messages.
//
//   start -> build the first generation -> listen -> serve ... -> drain -> exit

import { setPriority } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { HEARTBEAT, HEARTBEAT_INTERVAL_MS, LOOP_DELAY_MAX_US } from '../core/shared/control.ts'
import { WorkerContext } from './context.ts'
import { type AcceptingEngine, Drain, type OpenEntryPoint } from './drain.ts'
import { Listener } from './downstream/node/listener.ts'
import { EntryPoint } from './entry-point.ts'
import { GenerationBuilder } from './generation-builder.ts'
import type { FromWorker, Slice, ToWorker, WorkerPlan } from './messages.ts'
import * as pipeline from './pipeline.ts'
import { onDefect } from './socket.ts'
import { UdpListener } from './udp/listener.ts'

const OPERATIONS_PER_TURN = 60 // at the most 0.5 ms of building a route table
const COPIES_PER_TURN = 2000 // entries of maps: some 0.2 ms
const LOOP_RESOLUTION_MS = 10

const port = parentPort!
const plan = workerData as WorkerPlan
const post = (message: FromWorker): void => port.postMessage(message)
const context = new WorkerContext(plan, post)
const open: OpenEntryPoint[] = []
const udp: UdpListener[] = []
const slices: Slice[] = []
let builder: GenerationBuilder | null = null
let refused = 0 // number of the last generation that could not be built
let buildMs = 0
let building = false // a piece is planned
let numberBuilt = 0 // of the generation that is being built
let listening: Promise<void> | null = null // null until it begins to
let leaving = false // SIGTERM has come

async function makeListener(point: EntryPoint): Promise<AcceptingEngine> {
  if (point.plan.engine === 'node') return new Listener(point)
  const { UwsListener } = await import('./downstream/uws/listener.ts')
  return new UwsListener(point)
}

function listenOnce(): void {
  if (listening === null && !leaving) listening = listen()
}

async function listen(): Promise<void> {
  try {
    for (const [index, entryPoint] of plan.entryPoints.entries()) {
      const point = new EntryPoint(entryPoint, index, context)
      const listener = await makeListener(point)
      await listener.listen()
      open.push({ point, listener })
    }
    for (const [index, entryPoint] of plan.udpEntryPoints.entries()) {
      const listener = new UdpListener(entryPoint, index, context)
      await listener.listen()
      udp.push(listener)
    }
    post({ type: 'listening' })
  } catch (fault) {
    post({ type: 'failed', message: String(fault instanceof Error ? fault.message : fault) })
  }
}

// ---- generations: one slice, or one piece of the route tables, per turn

function build(): void {
  const from = performance.now()
  try {
    buildPiece()
  } catch (fault) {
    refuse(String(fault instanceof Error ? fault.stack : fault))
  }
  buildMs += performance.now() - from
  building = false
  if (slices.length > 0 || (builder !== null && builder.complete)) buildSoon()
}

// One piece per turn: exchanges are served in between.
function buildSoon(): void {
  if (building) return
  building = true
  setImmediate(build)
}

// What is left of it, here and still on its way, belongs to no other generation.
function refuse(message: string): void {
  refused = numberBuilt
  discardBuilder()
  const others = slices.filter((slice) => slice.number !== refused)
  for (let i = others.length; i < slices.length; i++) post({ type: 'more' })
  slices.splice(0, slices.length, ...others)
  post({ type: 'refused', number: refused, message })
}

function discardBuilder(): void {
  builder?.discard()
  builder = null
}

function buildPiece(): void {
  const slice = slices[0]
  if (slice !== undefined) {
    numberBuilt = slice.number
    // Another worker has refused the one before, and the supervisor has gone on.
    if (builder !== null && builder.next.number !== slice.number) discardBuilder()
    builder ??= new GenerationBuilder(
      context,
      slice.base === 0 ? null : context.generation,
      slice.number,
    )
    if (!builder.copyStep(COPIES_PER_TURN)) return
    slices.shift()
    post({ type: 'more' })
    builder.apply(slice)
    if (slice.last) builder.complete = true
    return
  }
  if (builder === null || !builder.complete) return
  if (!builder.finishStep(OPERATIONS_PER_TURN)) return
  const ready = builder.next
  builder = null
  context.prepare(ready)
  const { number, slotsMissing: lacking } = ready
  post({ type: 'prepared', number, buildMs, lacking })
  buildMs = 0
  context.adopt() // when the process serves by this number already: a worker that replaces another
  if (context.generation === ready) listenOnce()
}

function commit(): void {
  context.adoptIfNew()
  listenOnce()
}

// ---- life

async function drain(): Promise<void> {
  leaving = true
  await listening // what is half open can't be closed
  const [cut] = await Promise.all([
    new Drain(context, open).run(),
    ...udp.map((listener) => listener.drain()),
  ])
  // In a turn of its own: the last connection ends a moment before its exchange is accounted for.
  setImmediate(() => {
    context.log?.flush()
    post({ type: 'drained', cut })
  })
}

// Tests and the fault suite only: what a defect that never returns looks like.
function blockLoop(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until) continue
}

function receive(message: ToWorker): void {
  switch (message.type) {
    case 'slice':
      if (message.number === refused) return post({ type: 'more' })
      slices.push(message)
      return buildSoon()
    case 'commit':
      return commit()
    case 'health':
      return context.health.replace(message.down, context.services.preciseNow())
    case 'taken':
      return context.log?.taken(message.length)
    case 'flush':
      return context.log?.flush()
    case 'secrets':
      context.tls.use(message.secrets)
      return context.secretsChanged()
    case 'cache':
      return context.services.cache.receive(message.message)
    case 'drain':
      return void drain()
    case 'exit':
      return process.exit()
    case 'block':
      return blockLoop(message.ms)
  }
}

function beat(): void {
  context.setInRow(HEARTBEAT, (context.rowCell(HEARTBEAT) + 1) | 0)
  context.date = new Date().toUTCString()
  const worstUs = Math.max(0, loopDelay.max / 1000 - LOOP_RESOLUTION_MS * 1000) | 0
  if (worstUs > context.rowCell(LOOP_DELAY_MAX_US)) context.setInRow(LOOP_DELAY_MAX_US, worstUs)
  loopDelay.reset()
}

// One that replaces another is started by a supervisor that has given way (cli/gateway.ts).
function takeNormalPriority(): void {
  try {
    setPriority(0, 0)
  } catch {
    // not allowed: it serves all the same, and gives way when all cores are busy
  }
}

const loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
loopDelay.enable()
onDefect((defect) =>
  post({ type: 'defect', message: String(defect instanceof Error ? defect.stack : defect) }),
)
takeNormalPriority()
pipeline.install(context)
context.sweeper.start()
context.overload.start()
beat()
setInterval(beat, HEARTBEAT_INTERVAL_MS)
port.on('message', receive)
