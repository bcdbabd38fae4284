import type { StorageLibOS } from '@parakernel/queue'
import { type FsxOperation, formatOperation, OperationSource } from './operations.ts'
import { Random } from './random.ts'
import { shrink } from './shrink.ts'
import { difference, type Outcome, Side } from './side.ts'

/** One of the two libOSes that must agree: made fresh for every run, and opened again in the midst of it. */
export interface FsxParty {
  readonly libos: StorageLibOS
  /** A second instance over what the first stood on, which was shut down. */
  reopen(): Promise<StorageLibOS>
  /** Looks at what it stands on, while no instance is open; throws for what is wrong there. */
  check?(): Promise<void>
  close(): Promise<void>
}

export interface FsxOptions {
  readonly seed: number
  readonly operations: number
  readonly subject: () => Promise<FsxParty>
  readonly oracle: () => Promise<FsxParty>
  /** Called every ten thousand operations. */
  readonly progress?: (done: number) => void
  /** Called when something differed, before it is shrunk, which takes a while. */
  readonly failed?: (after: number, what: string) => void
}

export interface FsxReport {
  readonly operations: number
  /** How often each kind came. */
  readonly kinds: Readonly<Record<string, number>>
  readonly reopened: number
  readonly bytesCompared: number
}

/** Operations that an error lists. */
const SHOWN = 200

interface Failure {
  /** Operations up to and including the one that showed it. */
  readonly after: number
  readonly what: string
}

/** A pop, a push or a sync whose outcome is awaited by both. */
interface UnderWay {
  readonly operation: FsxOperation
  readonly subject: Promise<Outcome>
  readonly oracle: Promise<Outcome>
}

/**
 * Random operations on two libOSes at once, after Apple's fsx: every outcome, every byte and every error must be the same. What fails is
 * shrunk to the operations that it takes, and thrown with the seed that repeats it.
 */
export async function runFsx(options: FsxOptions): Promise<FsxReport> {
  const { seed, operations } = options
  const source = new OperationSource(new Random(seed))
  const run = new Run(options, operations)
  const failure = await run.go(() => source.next())
  if (failure === undefined) return run.report
  options.failed?.(failure.after, failure.what)
  // The seed repeats them, so that a long run that goes well need not keep them.
  const repeated = new OperationSource(new Random(seed))
  const list = Array.from({ length: failure.after }, () => repeated.next())
  const shrunk = await shrink(list, async (shorter) => {
    const again = new Run(options, shorter.length)
    return (await again.go((i) => shorter[i])) !== undefined
  })
  const last = new Run(options, shrunk.length)
  const shown = (await last.go((i) => shrunk[i])) ?? failure
  const lines = shrunk.slice(0, shown.after).map((operation, i) => `  ${i + 1}. ${formatOperation(operation)}`)
  if (lines.length > SHOWN) lines.splice(0, lines.length - SHOWN, `  ... ${lines.length - SHOWN} more before`)
  throw new Error(
    `fsx with seed ${seed}: ${failure.what}\nafter ${failure.after} operations, of which these suffice:\n` +
      `${lines.join('\n')}\n  ${shown.what}`,
  )
}

class Run {
  readonly #options: FsxOptions
  readonly #count: number
  readonly #kinds: Record<string, number> = {}
  #done = 0
  #underWay: UnderWay[] = []
  #reopened = 0
  #bytes = 0
  #subject!: Side
  #oracle!: Side

  constructor(options: FsxOptions, count: number) {
    this.#options = options
    this.#count = count
  }

  get report(): FsxReport {
    return { operations: this.#count, kinds: this.#kinds, reopened: this.#reopened, bytesCompared: this.#bytes }
  }

  async go(next: (i: number) => FsxOperation): Promise<Failure | undefined> {
    const subject = await this.#options.subject()
    const oracle = await this.#options.oracle()
    this.#subject = new Side(subject.libos)
    this.#oracle = new Side(oracle.libos)
    let what: string | undefined
    try {
      for (let i = 0; i < this.#count && what === undefined; i++) {
        const operation = next(i)
        this.#done++
        this.#kinds[operation.kind] = (this.#kinds[operation.kind] ?? 0) + 1
        what = await this.#step(operation, subject, oracle)
        if ((i + 1) % 10_000 === 0) this.#options.progress?.(i + 1)
      }
      what ??= await this.#settle()
      what ??= await this.#reopen(subject, oracle)
    } catch (error) {
      what = `${error instanceof Error ? (error.stack ?? error.message) : error}`
    }
    // What is left of a failed run is not looked at.
    await this.#subject.libos.shutdown().catch(() => {})
    await this.#oracle.libos.shutdown().catch(() => {})
    await subject.close()
    await oracle.close()
    return what === undefined ? undefined : { after: this.#done, what }
  }

  async #step(operation: FsxOperation, subject: FsxParty, oracle: FsxParty): Promise<string | undefined> {
    const { kind } = operation
    if (kind === 'settle') return this.#settle()
    if (kind === 'reopen') return (await this.#settle()) ?? (await this.#reopen(subject, oracle))
    // A close ends what waits, and how much of it has ended by then is nobody's promise.
    if (kind === 'close') {
      const what = await this.#settle()
      if (what !== undefined) return what
    }
    const [one, other] = [this.#subject.apply(operation), this.#oracle.apply(operation)]
    if (one instanceof Promise && other instanceof Promise) {
      this.#underWay.push({ operation, subject: one, oracle: other })
      return undefined
    }
    return this.#compare(operation, await one, await other)
  }

  async #settle(): Promise<string | undefined> {
    const underWay = this.#underWay
    this.#underWay = []
    let what: string | undefined
    for (const { operation, subject, oracle } of underWay) {
      what ??= this.#compare(operation, await subject, await oracle)
    }
    return what
  }

  async #reopen(subject: FsxParty, oracle: FsxParty): Promise<string | undefined> {
    const before = await this.#compareTrees('before it was shut down')
    if (before !== undefined) return before
    await this.#subject.libos.shutdown()
    await this.#oracle.libos.shutdown()
    await subject.check?.()
    this.#subject.restart(await subject.reopen())
    this.#oracle.restart(await oracle.reopen())
    this.#reopened++
    return this.#compareTrees('opened again')
  }

  async #compareTrees(when: string): Promise<string | undefined> {
    const [one, other] = [await this.#subject.tree(), await this.#oracle.tree()]
    for (const path of new Set([...one.keys(), ...other.keys()])) {
      const what = this.#differ(one.get(path), other.get(path))
      if (what !== undefined) return `${path === '' ? '/' : path}, ${when}: ${what}`
    }
    return undefined
  }

  #compare(operation: FsxOperation, subject: Outcome, oracle: Outcome): string | undefined {
    const what = this.#differ(subject, oracle)
    return what === undefined ? undefined : `${formatOperation(operation)}: ${what}`
  }

  #differ(subject: Outcome | undefined, oracle: Outcome | undefined): string | undefined {
    if (subject instanceof Uint8Array) this.#bytes += subject.byteLength
    return difference(subject, oracle)
  }
}
