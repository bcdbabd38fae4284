import { type Clock, ParakernelError } from '@parakernel/hal'
import type { PeerCallOptions, Timers } from '../contracts.ts'
import type { PartitionHandle } from './handle.ts'
import { fromPlainError, type PlainError, toPlainError } from './messages.ts'

/** Milliseconds after which a partition that does not answer counts as one that will not. */
const CALL_TIMEOUT = 5_000

/** The handles of a machine's partitions, by index; undefined for one that is not there (yet). */
export type Peers = (partition: number) => PartitionHandle | undefined

export interface PeerRequest {
  readonly kind: 'peer-call'
  readonly id: number
  readonly partition: number
  readonly method: string
  readonly args: readonly unknown[]
}

export type PeerAnswer =
  | { readonly kind: 'peer-returned'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'peer-threw'; readonly id: number; readonly error: PlainError }

/**
 * Control calls from one partition to another go by way of the control thread, which alone knows where each one is, in a thread, in
 * a process or here, and whether it still runs. This is the caller's end: it keeps what was asked until it is answered or late.
 */
export class PeerCalls {
  readonly #partitions: number
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #send: (request: PeerRequest) => void
  readonly #pending = new Map<number, (answer: PeerAnswer) => void>()
  #next = 1

  constructor(partitions: number, clock: Clock, timers: Timers, send: (request: PeerRequest) => void) {
    this.#partitions = partitions
    this.#clock = clock
    this.#timers = timers
    this.#send = send
  }

  call(partition: number, method: string, args: readonly unknown[], options: PeerCallOptions): Promise<unknown> {
    const { timeout = CALL_TIMEOUT } = options
    const subject = `${method} of partition ${partition}`
    return new Promise((resolve, reject) => {
      if (!(Number.isInteger(partition) && partition >= 0 && partition < this.#partitions)) {
        const remedy = `Name one from 0 to ${this.#partitions - 1}`
        throw new ParakernelError('EINVAL', `there is no partition ${partition}`, { subject: method, remedy })
      }
      if (!(timeout > 0)) throw new ParakernelError('EINVAL', `${timeout} ms is no time to wait`, { subject })
      const id = this.#next++
      // What cannot be cloned throws here, before anything waits for it.
      this.#send({ kind: 'peer-call', id, partition, method, args })
      const timer = this.#timers.at(this.#clock.now() + timeout * 1e6, () => {
        this.#pending.delete(id)
        reject(new ParakernelError('ETIMEDOUT', `gave no answer within ${timeout} ms`, { subject }))
      })
      this.#pending.set(id, (answer) => {
        this.#pending.delete(id)
        this.#timers.cancel(timer)
        if (answer.kind === 'peer-returned') resolve(answer.value)
        else reject(fromPlainError(answer.error))
      })
    })
  }

  /** An answer that comes too late is nobody's. */
  answered(answer: PeerAnswer): void {
    this.#pending.get(answer.id)?.(answer)
  }
}

/** The control thread's end: never rejects. */
export async function answerPeer(request: PeerRequest, peers: Peers | undefined): Promise<PeerAnswer> {
  const { id, partition, method, args } = request
  try {
    const handle = peers?.(partition)
    if (handle === undefined) {
      const remedy = peers === undefined ? 'Spawn it with `peers`' : 'Call it when the machine has started'
      throw new ParakernelError('ENXIO', 'is not there', { subject: `partition ${partition}`, remedy })
    }
    return { kind: 'peer-returned', id, value: await handle.call(method, ...args) }
  } catch (error) {
    return { kind: 'peer-threw', id, error: toPlainError(error) }
  }
}
