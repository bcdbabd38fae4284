import { setTimeout as sleep } from 'node:timers/promises'
import { type ChromeEvent, RecordRing, recordRingBuffer, type Traced } from '@parakernel/hal'
import type { PartitionHandle } from '@parakernel/kernel'
import type { Parts } from '../compose/start.ts'
import { TRACE } from '../partition/observed.ts'
import { deviceEvents, loopEvents, processName } from './trace-events.ts'

/** Milliseconds that a partition has to say that it traces no more. One that hangs is read all the same. */
const ANSWER_TIME = 1000

/** Numbers of processes that a machine takes in a trace. */
export const PIDS = 3

/** The rings of one machine's loops, for as long as somebody traces it. */
export class MachineTrace {
  readonly #parts: Parts
  readonly #capacity: number
  readonly #rings = new Map<PartitionHandle, RecordRing>()
  #users = 0
  #changing: Promise<unknown> = Promise.resolve()

  constructor(parts: Parts, capacity: number) {
    this.#parts = parts
    this.#capacity = capacity
  }

  /** Partitions that have loops of their own: those in one thread share one, and the first of them stands for all. */
  get #targets(): readonly PartitionHandle[] {
    const { partitions, loop } = this.#parts
    return loop === undefined ? partitions : partitions.slice(0, 1)
  }

  /** Begins to record, if nobody has yet. */
  begin(): Promise<void> {
    return this.#change(async () => {
      if (this.#users++ > 0) return
      await Promise.all(
        this.#targets.map(async (partition) => {
          const buffer = recordRingBuffer(this.#capacity)
          this.#rings.set(partition, new RecordRing(buffer))
          await answered(partition.call(TRACE, buffer))
        }),
      )
    })
  }

  /**
   * What has been recorded from `since` on (nanoseconds on the monotonic clock), with what the device's probe has of it.
   * @param pid under which it shows in the trace; the devices have the next `PIDS - 1`
   */
  events(name: string, pid: number, since = 0): ChromeEvent[] {
    const { loop, device, storageDevice } = this.#parts
    const events = [processName(pid, name)]
    for (const [partition, ring] of this.#rings) {
      events.push(
        ...loopEvents(
          loop === undefined ? partition.name : `${name}: all partitions`,
          ring,
          pid,
          partition.index,
          since,
        ),
      )
    }
    for (const [i, one] of [device, storageDevice].entries()) {
      const traced = tracedPart(one)
      if (traced !== undefined) events.push(...deviceEvents(traced.trace().traceEvents, pid + 1 + i, since))
    }
    return events
  }

  /** Events that were lost because the rings were too small. */
  get overwritten(): number {
    let sum = 0
    for (const ring of this.#rings.values()) sum += Math.max(0, ring.written - this.#capacity)
    return sum
  }

  /** Ends what `begin` began, unless somebody else still traces. */
  end(): Promise<void> {
    return this.#change(async () => {
      if (--this.#users > 0) return
      await Promise.all([...this.#rings.keys()].map((partition) => answered(partition.call(TRACE, undefined))))
      this.#rings.clear()
    })
  }

  #change(step: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(step)
    this.#changing = done
    return done
  }
}

/** The probe that traces, among those around a device. */
function tracedPart(device: object | undefined): Traced | undefined {
  for (let one = device; one !== undefined; one = (one as { inner?: object }).inner)
    if ('trace' in one) return one as Traced
  return undefined
}

/** Waits for an answer, but not for ever, and not for one from a partition that is gone. */
async function answered(call: Promise<unknown>): Promise<void> {
  const abort = new AbortController()
  await Promise.race([call, sleep(ANSWER_TIME, undefined, { signal: abort.signal })]).catch(() => {})
  abort.abort()
}
