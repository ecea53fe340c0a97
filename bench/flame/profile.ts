// bench/flame/profile.ts: reads V8's .cpuprofile and makes one tree of frames of it. Pure.
//
// V8 gives a node per call path and a node id per sample; time belongs to the sample that was running. Idle time is
// counted and left out of the tree: a picture of a worker that waits teaches nothing.

import { fileURLToPath } from 'node:url'

export const FLAME_SETTINGS = 'BENCH_FLAME_SETTINGS' // environment variable with FlameSettings as JSON

export interface FlameSettings {
  readonly folder: string
  readonly delayMs: number
  readonly profileMs: number
}

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[] // node ids
  readonly timeDeltas: readonly number[] // microseconds since the sample before
}

export interface ProfileNode {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    readonly lineNumber: number // from 0; -1 for what has no source
  }
  readonly children?: readonly number[]
}

export interface Frame {
  readonly name: string
  readonly place: string // core/h1/request.ts:41, node:net:702, or '' for V8's own
  selfUs: number
  totalUs: number // with all below it
  readonly children: Map<string, Frame>
}

export interface FlameTree {
  readonly root: Frame
  readonly idleUs: number
}

export function treeOf(profiles: readonly CpuProfile[], repository: string): FlameTree {
  const root = frame('all', '')
  let idleUs = 0
  for (const profile of profiles) {
    const selfUs = selfTimes(profile)
    const byId = new Map(profile.nodes.map((node) => [node.id, node]))
    const first = profile.nodes[0]
    if (first === undefined) continue
    idleUs += addChildren(root, first, byId, selfUs, repository)
  }
  sumTotals(root)
  return { root, idleUs }
}

function selfTimes(profile: CpuProfile): Map<number, number> {
  const selfUs = new Map<number, number>()
  profile.samples.forEach((id, i) => {
    // The delta before a sample is the time until it was taken; negative ones occur when threads' clocks meet.
    const spent = Math.max(0, profile.timeDeltas[i + 1] ?? 0)
    selfUs.set(id, (selfUs.get(id) ?? 0) + spent)
  })
  return selfUs
}

// Returns the idle time that was left out.
function addChildren(
  parent: Frame,
  node: ProfileNode,
  byId: ReadonlyMap<number, ProfileNode>,
  selfUs: ReadonlyMap<number, number>,
  repository: string,
): number {
  let idleUs = 0
  for (const id of node.children ?? []) {
    const child = byId.get(id)
    if (child === undefined) continue
    if (child.callFrame.functionName === '(idle)') {
      idleUs += selfUs.get(id) ?? 0
      continue
    }
    const into = childFrame(parent, child, repository)
    into.selfUs += selfUs.get(id) ?? 0
    idleUs += addChildren(into, child, byId, selfUs, repository)
  }
  return idleUs
}

function childFrame(parent: Frame, node: ProfileNode, repository: string): Frame {
  const name = node.callFrame.functionName || '(anonymous)'
  const place = placeOf(node, repository)
  const key = `${name} ${place}`
  const known = parent.children.get(key)
  if (known !== undefined) return known
  const added = frame(name, place)
  parent.children.set(key, added)
  return added
}

// Paths are relative to the repository: a picture that is kept must not tell whose machine drew it.
function placeOf(node: ProfileNode, repository: string): string {
  const { url, lineNumber } = node.callFrame
  if (url === '') return ''
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  const short = path.startsWith(`${repository}/`) ? path.slice(repository.length + 1) : path
  return `${short.startsWith('/') ? short.slice(short.lastIndexOf('/') + 1) : short}:${lineNumber + 1}`
}

function frame(name: string, place: string): Frame {
  return { name, place, selfUs: 0, totalUs: 0, children: new Map() }
}

// The tree is as deep as V8's stack traces, which it cuts at 255 frames or so: recursion is safe.
function sumTotals(into: Frame): number {
  let total = into.selfUs
  for (const child of into.children.values()) total += sumTotals(child)
  into.totalUs = total
  return total
}

export interface SelfTime {
  readonly label: string
  readonly share: number // of all busy time
}

// The functions in which the most time was spent, over all paths to them.
export function topSelf(tree: FlameTree, count: number): SelfTime[] {
  const byLabel = new Map<string, number>()
  const visit = (one: Frame): void => {
    const label = one.place === '' ? one.name : `${one.name} ${one.place}`
    if (one.selfUs > 0) byLabel.set(label, (byLabel.get(label) ?? 0) + one.selfUs)
    for (const child of one.children.values()) visit(child)
  }
  visit(tree.root)
  return [...byLabel]
    .sort((a, b) => b[1] - a[1])
    .slice(0, count)
    .map(([label, us]) => ({ label, share: us / tree.root.totalUs }))
}
