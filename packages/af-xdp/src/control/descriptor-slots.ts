import { calls, createEventFd, SOCK_CLOEXEC, writeEventFd } from '@parakernel/linux'

/**
 * One descriptor number a queue, for as long as the device is open: it is the queue's socket while a grant lives, and a
 * placeholder between grants (see `XdpTransport.descriptor`).
 */
export class DescriptorSlots {
  /** An eventfd that is always readable. */
  readonly placeholder: number
  readonly #slots = new Map<number, number>()
  /** Slots that a holder may still use: they stay placeholders for ever. */
  readonly #abandoned = new Set<number>()

  constructor() {
    this.placeholder = createEventFd()
    writeEventFd(this.placeholder)
  }

  /** Whether `queue` was ever granted. */
  has(queue: number): boolean {
    return this.#slots.has(queue)
  }

  /** Puts a new socket into the queue's slot and returns the slot. */
  put(queue: number, socket: number): number {
    const slot = this.#slots.get(queue)
    if (slot === undefined) {
      this.#slots.set(queue, socket)
      return socket
    }
    calls().dup3(socket, slot, SOCK_CLOEXEC)
    calls().close(socket)
    return slot
  }

  /** A holder of the queue has not let go, and may never. */
  abandon(slot: number): void {
    this.#abandoned.add(slot)
  }

  /** Whether any holder may still look at what the device mapped. */
  get watched(): boolean {
    return this.#abandoned.size > 0
  }

  close(): void {
    for (const slot of this.#slots.values()) if (!this.#abandoned.has(slot)) calls().close(slot)
    calls().close(this.placeholder)
  }
}
