import { DatagramBurst, NO_REPLY } from '@parakernel/queue'
import { C_NO_FRAME } from './counters.ts'
import type { PartitionState } from './partition-state.ts'
import type { ReplyFrames } from './reply-frames.ts'

/** Peer address and port, two words of padding; then the datagram. */
export const ENVELOPE = 16

/** Writes whose datagram a message carries, at its start. */
export function writeEnvelope(message: DataView, peerAddress: number, peerPort: number): void {
  message.setInt32(0, peerAddress, true)
  message.setInt32(4, peerPort, true)
}

/** The datagram of a message from another partition, as a burst of one in a frame of ours. */
export class RingDatagram {
  readonly burst = new DatagramBurst(1)
  readonly #state: PartitionState
  readonly #frames: ReplyFrames

  constructor(state: PartitionState, frames: ReplyFrames) {
    this.#state = state
    this.#frames = frames
  }

  /**
   * Fills `burst`, whose frame is the caller's. False, and counted, when no frame is free: the datagram is lost, and its client
   * asks again.
   */
  open(message: Uint8Array, length: number): boolean {
    const { pool, counters } = this.#state
    const frame = pool.allocate()
    if (frame < 0) {
      counters.values[C_NO_FRAME]++
      return false
    }
    const view = new DataView(message.buffer, message.byteOffset)
    const address = this.#frames.address(frame)
    pool.bytes.set(message.subarray(ENVELOPE, length), address)
    const { burst } = this
    burst.count = 1
    burst.frame[0] = frame
    burst.address[0] = address
    burst.length[0] = length - ENVELOPE
    burst.peerAddress[0] = view.getInt32(0, true)
    burst.peerPort[0] = view.getInt32(4, true)
    burst.room[0] = this.#frames.room
    burst.reply[0] = NO_REPLY
    burst.replyFrame[0] = -1
    return true
  }
}
