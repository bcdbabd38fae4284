import { closeSync, openSync } from 'node:fs'
import { calls, check, SOCK_CLOEXEC, setTunSteering, VIRTIO_NET_HDR_BYTES } from '@parakernel/linux'
import { LONGEST_FRAME } from '../ethernet.ts'

const F_DUPFD_CLOEXEC = 1030

/**
 * The descriptors of a device. Those that were opened stay with the control thread: closing one would renumber the other
 * queues. A holder gets a duplicate, which becomes a placeholder when its grant ends: it reads as empty, refuses to be
 * written, and is always ready, so that nobody sleeps on it.
 */
export class QueueDescriptors {
  readonly #queues: readonly number[]
  readonly #placeholder: number
  readonly #scratch = new Uint8Array(new ArrayBuffer(LONGEST_FRAME + VIRTIO_NET_HDR_BYTES))

  constructor(queues: readonly number[]) {
    this.#queues = queues
    this.#placeholder = openSync('/dev/null', 'r')
  }

  /** A descriptor for a new holder. */
  lend(queue: number, subject: string): number {
    return check(calls().fcntl(this.#queues[queue], F_DUPFD_CLOEXEC, 0), { call: 'fcntl(F_DUPFD_CLOEXEC)', subject })
  }

  /** Ends the use of a holder's descriptor. One that the holder may still look at stays a placeholder for ever. */
  retire(descriptor: number, released: boolean): void {
    if (released) calls().close(descriptor)
    else calls().dup3(this.#placeholder, descriptor, SOCK_CLOEXEC)
  }

  /** A program that chooses the queue for each packet of the kernel, or -1 for the kernel's own choice. */
  steer(program: number, subject: string): void {
    setTunSteering(this.#queues[0], program, subject)
  }

  /** Takes out what waits in a queue, at most `limit` packets; returns how many. */
  drain(queue: number, limit: number): number {
    let drained = 0
    while (drained < limit && Number(calls().read(this.#queues[queue], this.#scratch, this.#scratch.length)) > 0)
      drained++
    return drained
  }

  /** An interface that is not persistent goes with the last of them. */
  close(): void {
    for (const descriptor of this.#queues) calls().close(descriptor)
    closeSync(this.#placeholder)
  }
}
