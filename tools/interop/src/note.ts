import { appendFileSync } from 'node:fs'

/** Prints a figure that a test met on its way; to the file that `INTEROP_FIGURES` names too. */
export function note(figure: string): void {
  console.log(figure)
  const file = process.env['INTEROP_FIGURES']
  if (file !== undefined) appendFileSync(file, `${figure}\n`)
}
