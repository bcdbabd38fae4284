import { threadId } from 'node:worker_threads'
import { type ControlBlock, GRANT_ATTACHED, type NetQueueGrant } from '@parakernel/hal'
import type { EmulatedTransport } from '../queue/transport.ts'
import { QUEUE_HOLDER } from '../shared/layout.ts'
import type { NetworkMemory } from '../shared/network-memory.ts'

/** A grant as the control thread keeps it. */
export interface ActiveGrant {
  readonly grant: NetQueueGrant<EmulatedTransport>
  readonly control: ControlBlock
  readonly scratchBytes: number
}

/** One queue of the network: who has it. Numbers are those of the network, not of the NIC. */
export class QueueSlot {
  readonly queue: number
  /** Data bytes of a ring that leads here, and its entries. */
  readonly ringDataBytes: number
  readonly ringSize: number
  readonly port: number
  active: ActiveGrant | undefined
  /** The last holder lost the queue in another thread, which may still be in the middle of a call. */
  abandoned = false
  /** Packets that were on their way here when a ring ended. */
  lost = 0

  constructor(queue: number, port: number, ringDataBytes: number, ringSize: number) {
    this.queue = queue
    this.port = port
    this.ringDataBytes = ringDataBytes
    this.ringSize = ringSize
  }

  /** Whether a thread other than this one may be using the queue right now. */
  heldElsewhere(memory: NetworkMemory): boolean {
    if (this.active?.control.state !== GRANT_ATTACHED) return false
    return memory.words[memory.layout.queue(this.queue) + QUEUE_HOLDER] !== threadId + 1
  }
}
