/** No reply: the libOS releases the frame when the handler returns. What `reply` holds when the handler is called. */
export const NO_REPLY = -1
/** No reply yet: the handler keeps the frame's reference, and answers for its release. */
export const KEEP_FRAME = -2

/**
 * The datagrams of one receive burst, as a struct of arrays: the fast face of a datagram socket. Allocated once, refilled
 * for every burst; a handler that wants to remember anything copies it.
 *
 * Payload bytes are `pool.bytes[address[i] .. address[i] + length[i]]`. To answer datagram `i` in place the handler writes
 * at most `room[i]` bytes at `address[i]` and sets `reply[i]` to their number. To answer from another frame of the
 * same pool it also sets `replyFrame[i]` and `replyAddress[i]` (at least `REPLY_HEADROOM` bytes into that frame); that
 * frame's reference goes to the libOS, which releases the received frame too.
 */
export class DatagramBurst {
  readonly capacity: number
  count = 0
  readonly frame: Int32Array
  /** Byte address of the payload in the region; 8-byte aligned where the device and the headers allow. */
  readonly address: Int32Array
  readonly length: Int32Array
  /** IPv4 address of the peer, as a signed int32 in host order: 10.0.0.1 is 0x0a000001. Of an IPv6 address, the last word. */
  readonly peerAddress: Int32Array
  /**
   * Of sockets of IPv6: the first three words of the peer's address, three for each datagram; of an IPv4 peer 0, 0, 0xffff
   * (see `IpWords`). Unused by sockets of IPv4.
   */
  readonly peerUpper: Int32Array
  readonly peerPort: Int32Array
  readonly localPort: Int32Array
  readonly room: Int32Array
  readonly reply: Int32Array
  readonly replyFrame: Int32Array
  readonly replyAddress: Int32Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.frame = new Int32Array(capacity)
    this.address = new Int32Array(capacity)
    this.length = new Int32Array(capacity)
    this.peerAddress = new Int32Array(capacity)
    this.peerUpper = new Int32Array(3 * capacity)
    this.peerPort = new Int32Array(capacity)
    this.localPort = new Int32Array(capacity)
    this.room = new Int32Array(capacity)
    this.reply = new Int32Array(capacity)
    this.replyFrame = new Int32Array(capacity)
    this.replyAddress = new Int32Array(capacity)
  }
}

/** Bytes before a payload that a libOS needs for its headers: Ethernet with a VLAN tag 18, IPv4 20 (IPv6 40), UDP 8. */
export const REPLY_HEADROOM = 66

/**
 * Handles a burst; runs to completion inside the poll, must not throw or await. `now` is the loop's time, in nanoseconds.
 */
export type DatagramHandler = (burst: DatagramBurst, now: number) => void
