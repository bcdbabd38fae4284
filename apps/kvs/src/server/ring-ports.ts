import type { Host } from '@parakernel/hal'
import { type PartitionContext, RingConsumer, type RingDescriptor, RingProducer } from '@parakernel/kernel'
import { Channel, type RingReceiver, type RingSender } from './channel.ts'

/** Bytes before a message in its slot: its length. */
const LENGTH_BYTES = 8

class SlotSender implements RingSender {
  readonly messageBytes: number
  readonly #ring: RingProducer

  constructor(descriptor: RingDescriptor, host: Host | undefined) {
    this.#ring = new RingProducer(descriptor, host)
    this.messageBytes = descriptor.slotBytes - LENGTH_BYTES
  }

  free(): number {
    return this.#ring.room
  }

  send(bytes: Uint8Array, at: number, length: number): boolean {
    const slot = this.#ring.claim()
    if (slot < 0) return false
    this.#ring.words[slot >> 2] = length
    this.#ring.bytes.set(bytes.subarray(at, at + length), slot + LENGTH_BYTES)
    return true
  }

  publish(): void {
    this.#ring.publish()
  }
}

class SlotReceiver implements RingReceiver {
  readonly messageBytes: number
  readonly ring: RingConsumer

  constructor(descriptor: RingDescriptor) {
    this.ring = new RingConsumer(descriptor)
    this.messageBytes = descriptor.slotBytes - LENGTH_BYTES
  }

  receive(into: Uint8Array): number {
    const slot = this.ring.take()
    if (slot < 0) return 0
    const length = this.ring.words[slot >> 2]
    into.set(this.ring.bytes.subarray(slot + LENGTH_BYTES, slot + LENGTH_BYTES + length))
    this.ring.release()
    return length
  }

  pending(): boolean {
    return this.ring.arm()
  }
}

/** The channel to the other partitions of a machine; undefined in a machine of one. */
export function channelOf(context: PartitionContext<unknown>): Channel | undefined {
  const { incoming, outgoing, host, partitions } = context
  if (partitions === 1) return undefined
  const receivers = incoming.map((ring) => (ring === undefined ? undefined : new SlotReceiver(ring)))
  const wake = receivers.find((receiver) => receiver !== undefined)?.ring.wake
  return new Channel(
    receivers,
    outgoing.map((ring) => (ring === undefined ? undefined : new SlotSender(ring, host))),
    wake,
  )
}
