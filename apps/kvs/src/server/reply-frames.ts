import { type FramePool, ParakernelError } from '@parakernel/hal'
import { type DatagramBurst, REPLY_HEADROOM } from '@parakernel/queue'
import { DEFAULT_PAYLOAD_BYTES } from '../protocol/native/layout.ts'

/** Ethernet, IPv4 and UDP headers: where a payload starts behind a received frame's headroom. */
const HEADERS = 14 + 20 + 8

/** Where replies lie in frames of their own, and how long they may be. */
export class ReplyFrames {
  readonly pool: FramePool
  /** Payload's offset in a spare frame; the payload's address is a multiple of 8. */
  readonly offset: number
  /** Bytes of a reply at most: what fits in a frame, and in a packet without fragments. */
  readonly room: number

  /** @throws EINVAL when frames are too small for any reply */
  constructor(pool: FramePool, maxPayload = DEFAULT_PAYLOAD_BYTES) {
    this.pool = pool
    this.offset = (Math.max(REPLY_HEADROOM, pool.headroom + HEADERS) + 7) & ~7
    this.room = Math.min(maxPayload, pool.frameSize - pool.window.tailroom - this.offset) & ~7
    if (this.room < 64) {
      throw new ParakernelError('EINVAL', `frames of ${pool.frameSize} bytes leave ${this.room} for a reply`, {
        subject: 'kvs server',
        remedy: 'Set frames.size to 2048',
      })
    }
  }

  /** Address of the payload in spare frame `frame`. */
  address(frame: number): number {
    return this.pool.address(frame) + this.offset
  }

  /** Answers datagram `d` from a spare frame, whose reference goes to the libOS with it. */
  replyFrom(burst: DatagramBurst, d: number, frame: number, length: number): void {
    burst.reply[d] = length
    burst.replyFrame[d] = frame
    burst.replyAddress[d] = this.address(frame)
  }
}
