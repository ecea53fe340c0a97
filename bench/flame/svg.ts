// bench/flame/svg.ts: draws a tree of frames as one SVG file that needs nothing else: names and places in
// tooltips, no script. Pure.
//
// The widest is at the bottom; a box lies on the function that called it and is as wide as its share of busy time.
// Colour says whose code it is: core, workers, Node's own, packages, V8 and the kernel.

import type { FlameTree, Frame } from './profile.ts'

const WIDTH = 1400
const MARGIN = 10
const ROW = 17
const TOP = 56
const BOX_MIN = 0.4 // narrower boxes could not be seen
const CHARACTER = 6.6 // of the monospaced font at its size

interface Box {
  readonly frame: Frame
  readonly depth: number
  readonly x: number
  readonly width: number
}

export function svgOf(tree: FlameTree, title: string, subtitle: string): string {
  const boxes: Box[] = []
  place(tree.root, 0, MARGIN, WIDTH - 2 * MARGIN, boxes)
  const depthMax = boxes.reduce((deepest, box) => Math.max(deepest, box.depth), 0)
  const height = TOP + (depthMax + 1) * ROW + MARGIN
  const drawn = boxes.map((box) => drawBox(box, height, tree.root.totalUs))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11">
<rect width="100%" height="100%" fill="#fffdf7"/>
<text x="${MARGIN}" y="22" font-size="15">${escapeXml(title)}</text>
<text x="${MARGIN}" y="40" fill="#555">${escapeXml(subtitle)}</text>
${drawn.join('\n')}
</svg>
`
}

// Children stand side by side, by name, so that two pictures of the same code can be compared.
function place(frame: Frame, depth: number, x: number, width: number, boxes: Box[]): void {
  if (width < BOX_MIN) return
  boxes.push({ frame, depth, x, width })
  const children = [...frame.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  let at = x
  for (const child of children) {
    const share = frame.totalUs > 0 ? child.totalUs / frame.totalUs : 0
    place(child, depth + 1, at, width * share, boxes)
    at += width * share
  }
}

function drawBox(box: Box, height: number, totalUs: number): string {
  const { frame } = box
  const y = height - MARGIN - (box.depth + 1) * ROW
  const label = frame.place === '' ? frame.name : `${frame.name} ${frame.place}`
  const share = ((frame.totalUs / totalUs) * 100).toFixed(1)
  const own = ((frame.selfUs / totalUs) * 100).toFixed(1)
  const room = Math.floor((box.width - 6) / CHARACTER)
  const text = room >= 3 ? fitText(label, room) : ''
  const size = `x="${box.x.toFixed(1)}" y="${y}" width="${box.width.toFixed(1)}" height="${ROW - 1}"`
  return (
    `<g><title>${escapeXml(`${label}: ${share} % (itself ${own} %)`)}</title>` +
    `<rect ${size} fill="${colourOf(frame)}" rx="1"/>` +
    (text === ''
      ? ''
      : `<text x="${(box.x + 3).toFixed(1)}" y="${y + 12}">${escapeXml(text)}</text>`) +
    '</g>'
  )
}

export function fitText(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 2)}..`
}

export function colourOf(frame: Frame): string {
  const { place: where, name } = frame
  if (where.startsWith('core/')) return '#f4a261'
  if (where.startsWith('workers/')) return '#e9c46a'
  if (where.includes('node_modules/')) return '#cdb4db'
  if (where.startsWith('node:')) return '#a8dadc'
  if (name === '(garbage collector)') return '#e76f51'
  return where === '' ? '#d6d6d6' : '#f1e3c6'
}

export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
