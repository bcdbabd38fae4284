import type { Row } from './rates.ts'
import { Screen } from './screen.ts'
import { COLUMNS, dropLines, type Order, tableOf, UNSORTED } from './table.ts'
import type { Watched } from './watched.ts'

/** Ctrl-C, in raw mode. */
const INTERRUPT = '\x03'
/** Lines above the table: the title, and one that is empty. */
const HEADING = 2

/** The table of `top`, drawn over in place, and its keys. */
export class LiveView {
  readonly #watched: Watched
  readonly #screen: Screen
  readonly #quit: () => void
  /** What is shown while time stands still. */
  #paused: readonly Row[] | undefined
  #order: Order = UNSORTED

  constructor(screen: NodeJS.WriteStream, keys: NodeJS.ReadStream | undefined, watched: Watched, quit: () => void) {
    this.#watched = watched
    this.#quit = quit
    this.#screen = new Screen(screen, keys, (key) => this.#pressed(key))
    this.draw()
  }

  draw(): void {
    const rows = this.#paused ?? this.#watched.rows()
    const time = new Date().toTimeString().slice(0, 8)
    const machines = new Set(rows.map(({ pid, machine }) => `${pid} ${machine}`)).size
    const title = [
      `parakernel top  ${time}`,
      `${machines} ${machines === 1 ? 'machine' : 'machines'}`,
      `${rows.length} ${rows.length === 1 ? 'partition' : 'partitions'}`,
      ...(this.#paused === undefined ? [] : ['PAUSED']),
    ].join('  ')
    const drops = dropLines(rows)
    this.#screen.draw(
      [
        title,
        '',
        ...(rows.length === 0 ? ['waiting for the first interval'] : tableOf(rows, this.#order)),
        '',
        ...(drops.length === 0 ? [] : ['dropped', ...drops, '']),
        'q quit   p pause   s, S sort by the next, the previous column   r reverse   u as started',
      ],
      rows.length === 0 ? -1 : HEADING,
    )
  }

  close(): void {
    this.#screen.close()
  }

  #pressed(key: string): void {
    const { column, isDescending } = this.#order
    const count = COLUMNS.length
    if (key === 'q' || key === INTERRUPT) {
      this.#quit()
      return
    }
    if (key === 'p') this.#paused = this.#paused === undefined ? this.#watched.rows() : undefined
    // The largest are what one looks for.
    else if (key === 's') this.#order = { column: (column + 1) % count, isDescending: true }
    else if (key === 'S') this.#order = { column: (Math.max(column, 0) + count - 1) % count, isDescending: true }
    else if (key === 'r') this.#order = { column, isDescending: !isDescending }
    else if (key === 'u') this.#order = UNSORTED
    else return
    this.draw()
  }
}
