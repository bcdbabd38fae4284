import type { ProcessSnapshot } from '@parakernel/config'
import type { Connection } from '../client/connection.ts'
import { type Row, rowsOf } from './rates.ts'

/** The last two snapshots of a process. */
interface Pair {
  before: ProcessSnapshot | undefined
  after: ProcessSnapshot | undefined
}

/** Processes that send a snapshot every interval. */
export class Watched {
  /** Resolves when the last of them has ended. */
  readonly ended: Promise<void>
  readonly #interval: number
  readonly #pairs = new Map<Connection, Pair>()
  #lastEnded!: () => void
  #changed = Promise.withResolvers<void>()
  #farewell = ''

  constructor(connections: readonly Connection[], interval: number) {
    this.#interval = interval
    this.ended = new Promise((resolve) => {
      this.#lastEnded = resolve
    })
    for (const one of connections) this.add(one)
  }

  get size(): number {
    return this.#pairs.size
  }

  get paths(): ReadonlySet<string> {
    return new Set([...this.#pairs.keys()].map(({ path }) => path))
  }

  /** What there is to say when the last one has ended. */
  get farewell(): string {
    return this.#farewell
  }

  add(connection: Connection): void {
    const pair: Pair = { before: undefined, after: undefined }
    this.#pairs.set(connection, pair)
    connection.send({ interval: this.#interval })
    void this.#follow(connection, pair)
  }

  /** In the order in which processes were started. */
  rows(): Row[] {
    return [...this.#pairs].flatMap(([{ description }, { before, after }]) =>
      before === undefined || after === undefined ? [] : rowsOf(description, before, after),
    )
  }

  /** Resolves when every process that is still there has sent two snapshots, or the signal is aborted. */
  async whenComplete(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    while (!signal.aborted && [...this.#pairs.values()].some(({ before }) => before === undefined)) {
      await Promise.race([this.#changed.promise, aborted])
    }
  }

  close(): void {
    for (const connection of this.#pairs.keys()) connection.close()
  }

  async #follow(connection: Connection, pair: Pair): Promise<void> {
    const { pid, program } = connection.description
    let why = 'has ended'
    try {
      for (let message = await connection.next(); message !== undefined; message = await connection.next()) {
        if (message.type !== 'snapshot') continue
        pair.before = pair.after
        pair.after = message
        this.#tell()
      }
    } catch (error) {
      why = `cannot be followed any more: ${(error as Error).message}`
    }
    connection.close()
    this.#pairs.delete(connection)
    this.#farewell = `${program} (process ${pid}) ${why}`
    this.#tell()
    if (this.size === 0) this.#lastEnded()
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
