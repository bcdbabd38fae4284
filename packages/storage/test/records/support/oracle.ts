import type { Recording } from '@parakernel/probes'
import type { RecordStore } from '../../../src/index.ts'

/** One opening of the store, and what it was after each write. */
interface Session {
  /** Position of the recording from which on only this session's states can be found. */
  readonly opened: number
  /** Contents after so many writes, and the position at which each was made. */
  readonly states: { readonly position: number; readonly content: string }[]
  /** Positions at which so many writes were known to be durable. */
  readonly acknowledged: [position: number, writes: number][]
}

/** What the store promised, by the positions of a recording. */
export class RecordsOracle {
  readonly #recording: Recording
  readonly #sessions: Session[] = []
  readonly #content = new Map<string, string>()
  /** Bytes that compactions moved, and checkpoints, of all sessions. */
  movedBytes = 0
  checkpoints = 0

  constructor(recording: Recording) {
    this.#recording = recording
    // Before the first opening there was an empty store.
    const states = [{ position: 0, content: '' }]
    this.#sessions.push({ opened: 0, states, acknowledged: [[0, 0]] })
  }

  /** The store is open, and has what it has: from here on that is promised. */
  async opened(store: RecordStore): Promise<void> {
    this.#content.clear()
    for (const [key, value] of await entriesOf(store)) this.#content.set(key, value)
    const { position } = this.#recording
    this.#sessions.push({
      opened: position,
      states: [{ position, content: this.#text() }],
      acknowledged: [[position, 0]],
    })
  }

  get content(): ReadonlyMap<string, string> {
    return this.#content
  }

  /** A write is about to be made that changes the content so. Returns its number. */
  writing(change: (content: Map<string, string>) => void): number {
    change(this.#content)
    const session = this.#session
    session.states.push({ position: this.#recording.position, content: this.#text() })
    return session.states.length - 1
  }

  acknowledged(write: number): void {
    this.#session.acknowledged.push([this.#recording.position, write])
  }

  /** A session is at its end. */
  count({ counters }: RecordStore): void {
    this.movedBytes += counters.get('movedBytes')
    this.checkpoints += counters.get('checkpoints')
  }

  /** All writes so far are durable. */
  synced(): void {
    this.acknowledged(this.#session.states.length - 1)
  }

  /** Why what is left at a position breaks a promise; undefined when it keeps all. */
  async verdict(store: RecordStore, position: number): Promise<string | undefined> {
    const found = textOf(await entriesOf(store))
    const session = this.#sessions.findLast(({ opened }) => opened <= position) as Session
    let least = 0
    for (const [at, writes] of session.acknowledged) if (at <= position) least = Math.max(least, writes)
    for (let i = session.states.length - 1; i >= least; i--) {
      const { position: made, content } = session.states[i]
      if (made <= position && content === found) return undefined
    }
    const known = session.states.findIndex(({ content }) => content === found)
    if (known < 0) return `the store never had this content: ${found.slice(0, 200)}`
    return `as after write ${known}, where ${least} were acknowledged`
  }

  get #session(): Session {
    return this.#sessions[this.#sessions.length - 1]
  }

  #text(): string {
    return textOf([...this.#content].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

export async function entriesOf(store: RecordStore): Promise<[string, string][]> {
  const cursor = store.cursor()
  const entries: [string, string][] = []
  for (;;) {
    const { keys, values } = await cursor.next(64)
    if (keys.length === 0) break
    for (let i = 0; i < keys.length; i++) entries.push([latin1(keys[i]), latin1(values[i])])
  }
  cursor.close()
  return entries
}

function textOf(entries: Iterable<readonly [string, string]>): string {
  return [...entries].map(([key, value]) => `${key}=${value.length}:${value.slice(0, 24)}`).join(' ')
}
