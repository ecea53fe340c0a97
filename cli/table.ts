// cli/table.ts: columns of text, each as wide as its widest cell; the last one as long as it likes.

export function tableText(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length)
    })
  }
  return rows.map((row) => lineText(row, widths)).join('')
}

function lineText(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at]!)))
  return cells.join('  ').trimEnd() + '\n'
}
