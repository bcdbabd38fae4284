import { ParakernelError } from '@parakernel/hal'
import type { PartitionExit } from './handle.ts'
import { type FromWorker, fromPlainError } from './messages.ts'

interface PendingCall {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A partition that runs in another thread or process, as the control thread knows it: whether it has begun, what it was asked, how it ended. */
export class RemoteLife {
  readonly ready: Promise<void>
  readonly exited: Promise<PartitionExit>
  /** How it ended, once it is gone. */
  exit: PartitionExit | undefined
  /** Why it ends, known before it is gone. The first reason counts. */
  #reason: PartitionExit | undefined
  readonly #subject: string
  readonly #ready = Promise.withResolvers<void>()
  readonly #exited = Promise.withResolvers<PartitionExit>()
  readonly #calls = new Map<number, PendingCall>()
  #nextCall = 1

  constructor(name: string) {
    this.#subject = `partition ${name}`
    this.ready = this.#ready.promise
    this.exited = this.#exited.promise
    // A caller who looks at `exited` only need not handle `ready` as well.
    this.ready.catch(() => {})
  }

  /** Sends a request once it is ready. What cannot be sent throws here, and is not waited for. @throws ENXIO when it is gone */
  async ask(send: (id: number) => void): Promise<unknown> {
    await this.ready
    if (this.exit !== undefined) throw this.#notThere()
    const id = this.#nextCall++
    send(id)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#calls.set(id, { resolve, reject })
    return promise
  }

  begun(): void {
    this.#ready.resolve()
  }

  answered(message: Extract<FromWorker, { kind: 'returned' | 'threw' }>): void {
    const call = this.#calls.get(message.id)
    this.#calls.delete(message.id)
    if (message.kind === 'returned') call?.resolve(message.value)
    else call?.reject(fromPlainError(message.error))
  }

  stopped(): void {
    this.#reason ??= { kind: 'stopped' }
  }

  crashed(error: Error): void {
    this.#reason ??= { kind: 'crashed', error }
  }

  /** `how` it ended, if it gave no reason. Fails whatever was asked of it. */
  gone(how: string): void {
    const error = new ParakernelError('EOWNERDEAD', how, { subject: this.#subject })
    const exit = this.#reason ?? { kind: 'crashed', error }
    this.exit = exit
    this.#ready.reject(exit.kind === 'crashed' ? exit.error : this.#notThere())
    for (const call of this.#calls.values()) call.reject(this.#notThere())
    this.#calls.clear()
    this.#exited.resolve(exit)
  }

  #notThere(): ParakernelError {
    const { exit } = this
    return new ParakernelError('ENXIO', exit?.kind === 'crashed' ? 'crashed' : 'is stopped', {
      subject: this.#subject,
      ...(exit?.kind === 'crashed' ? { cause: exit.error } : {}),
    })
  }
}
