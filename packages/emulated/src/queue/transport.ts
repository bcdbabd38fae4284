import type { NetworkReference } from '../shared/network-memory.ts'
import type { WakeDirectory } from '../shared/wake-directory.ts'

/** The emulated device's part of a grant: plain clonable data. */
export interface EmulatedTransport {
  readonly network: NetworkReference
  readonly port: number
  /** Number of the queue in the network, as opposed to the NIC. */
  readonly queue: number
  /** Byte offset of an area in which the queue gathers packets. */
  readonly scratch: number
  /** Wake words known when the grant was made. */
  readonly wakes: ReturnType<WakeDirectory['notices']>
  /** Tells grants of one queue apart. */
  readonly serial: number
}
