import { ParakernelError } from '@parakernel/hal'
import type { PartitionContext, PartitionExports } from '@parakernel/kernel'
import type { SocketAddress } from '@parakernel/queue'

/** What an end of an example, a client or a server say, is told as `context.data`. */
export interface End<Settings = unknown> {
  /** The example's own, under `app` in a config. */
  readonly settings: Settings
  /** Where this end binds. */
  readonly here: SocketAddress
  /** Every end of the example whose place is known. */
  readonly ends: Readonly<Record<string, SocketAddress>>
}

export type EndContext<Settings = unknown> = PartitionContext<End<Settings>>

/** @throws EINVAL for an end that runs elsewhere, when nobody has said where */
export function addressOf({ ends }: End, name: string): SocketAddress {
  const address = ends[name]
  if (address !== undefined) return address
  throw new ParakernelError('EINVAL', 'nobody has said where it is', {
    subject: name,
    remedy: `Give its address, as in --at ${name}=10.0.0.1`,
  })
}

/** What an end has to tell. */
export interface Report {
  /** What was asked and what came back, in order: the same in every run and on every backend. */
  readonly transcript: readonly string[]
  /** What differs from run to run, by name: times, rates, losses. */
  readonly figures: Readonly<Record<string, string | number>>
}

/** An end's report while it is written. */
export class Transcript {
  readonly transcript: string[] = []
  readonly figures: Record<string, string | number> = {}
  /** What a live line shows meanwhile. */
  progress = ''

  say(line: string): void {
    this.transcript.push(line)
  }

  figure(name: string, value: string | number): void {
    this.figures[name] = value
  }

  report(): Report {
    return { transcript: [...this.transcript], figures: { ...this.figures } }
  }
}

/** Of an end that does something and is then done. */
export function acting(transcript: Transcript, run: () => Promise<void>): PartitionExports {
  return {
    methods: {
      run: async (): Promise<Report> => {
        await run()
        return transcript.report()
      },
      progress: () => transcript.progress,
    },
  }
}

/** Of an end that serves until it is stopped; `settle` waits for what is still on its way before the report is taken. */
export function serving(transcript: Transcript, settle?: () => Promise<void>): PartitionExports {
  return {
    methods: {
      report: async (): Promise<Report> => {
        await settle?.()
        return transcript.report()
      },
      /** What was said since the line `from`. */
      lines: (from: number): readonly string[] => transcript.transcript.slice(from),
    },
  }
}

/** Milliseconds without anything new after which the rest is not waited for any more. */
const QUIET = 1000

/** Waits until `count()` is at `expected`, or stands still for a second: what has not come by then is lost. */
export async function settled(count: () => number, expected: () => number): Promise<void> {
  let [before, since] = [count(), performance.now()]
  while (count() < expected() && performance.now() - since < QUIET) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    if (count() !== before) [before, since] = [count(), performance.now()]
  }
}
