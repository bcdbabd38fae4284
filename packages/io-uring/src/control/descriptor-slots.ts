import { calls, createEventFd, type OwnedIoUring, SOCK_CLOEXEC, writeEventFd } from '@parakernel/linux'

/**
 * One descriptor number for each ring of a queue, for as long as the device is open: it is the ring while a grant lives, and a
 * placeholder between grants. The number is never another object's, so a holder that comes late does no harm with it.
 */
export class DescriptorSlots {
  /** An eventfd that is always readable: who sleeps on it wakes up. */
  readonly placeholder: number
  readonly #slots = new Map<string, number>()
  readonly #wakes = new Map<number, number>()
  /** Descriptors that a holder may still use. */
  readonly #abandoned = new Set<number>()

  constructor() {
    this.placeholder = createEventFd()
    writeEventFd(this.placeholder)
  }

  /** The queue's eventfd, which all its grants share. */
  wakeOf(queue: number): number {
    let wake = this.#wakes.get(queue)
    if (wake === undefined) {
      wake = createEventFd()
      this.#wakes.set(queue, wake)
    }
    return wake
  }

  /** Moves a new ring into its slot; returns the slot. */
  put(name: string, { ring }: OwnedIoUring): number {
    const slot = this.#slots.get(name)
    if (slot === undefined) {
      this.#slots.set(name, ring.descriptor)
      return ring.descriptor
    }
    calls().dup3(ring.descriptor, slot, SOCK_CLOEXEC)
    calls().close(ring.descriptor)
    return slot
  }

  /** A holder has not let go of this one, and may never. */
  abandon(descriptor: number): void {
    this.#abandoned.add(descriptor)
  }

  close(): void {
    for (const descriptor of [...this.#slots.values(), ...this.#wakes.values(), this.placeholder]) {
      if (!this.#abandoned.has(descriptor)) calls().close(descriptor)
    }
  }
}
