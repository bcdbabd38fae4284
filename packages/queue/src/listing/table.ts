/** A column of a table: its heading, and whether its cells are numbers, which stand on the right. */
export interface Column {
  readonly heading: string
  readonly right?: boolean
}

/** Rows of cells as lines of text, each column as wide as its longest cell, two blanks between them; the headings first. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const headings = columns.map(({ heading }) => heading)
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i].length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (columns[i].right === true ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd()
  return [headings, ...rows].map(line).join('\n')
}
