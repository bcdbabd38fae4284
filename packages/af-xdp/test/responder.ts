import { NetBurst, type NetQueue, parseMac } from '@parakernel/hal'

/**
 * A raw ARP and ICMP echo responder on one queue, in place: the smallest thing that a Linux ping believes. `poll` handles
 * what has arrived and returns how many frames it answered.
 */
export class PingResponder {
  answered = 0
  /** Frames that were taken and are neither ARP nor echo. */
  other = 0
  readonly #queue: NetQueue
  readonly #mac: Uint8Array
  readonly #address: Uint8Array
  readonly #burst = new NetBurst(64)

  constructor(queue: NetQueue, mac: string, address: string) {
    this.#queue = queue
    this.#mac = parseMac(mac)
    this.#address = Uint8Array.from(address.split('.'), Number)
  }

  poll(): number {
    const { pool } = this.#queue
    const burst = this.#burst
    this.#queue.receive(burst)
    let kept = 0
    for (let i = 0; i < burst.count; i++) {
      const at = pool.address(burst.frame[i]) + burst.offset[i]
      if (this.#answer(pool.bytes, pool.view, at)) burst.copyEntry(kept++, burst, i)
      else {
        this.other++
        pool.release(burst.frame[i])
      }
    }
    burst.count = kept
    let sent = 0
    while (sent < kept) sent += this.#queue.transmit(burst, sent)
    this.answered += kept
    return kept
  }

  #answer(bytes: Uint8Array, view: DataView, at: number): boolean {
    const type = view.getUint16(at + 12)
    if (type === 0x0806) {
      if (view.getUint16(at + 20) !== 1) return false
      view.setUint16(at + 20, 2)
      bytes.copyWithin(at + 32, at + 22, at + 32)
      bytes.set(this.#mac, at + 22)
      bytes.set(this.#address, at + 28)
    } else if (type === 0x0800 && view.getUint8(at + 23) === 1 && view.getUint8(at + 34) === 8) {
      // RFC 1624: the type went from 8 to 0, so the sum's complement goes up by 0x0800.
      view.setUint8(at + 34, 0)
      const sum = view.getUint16(at + 36) + 0x0800
      view.setUint16(at + 36, (sum & 0xffff) + (sum >> 16))
      const source = view.getUint32(at + 26)
      view.setUint32(at + 26, view.getUint32(at + 30))
      view.setUint32(at + 30, source)
    } else return false
    bytes.copyWithin(at, at + 6, at + 12)
    bytes.set(this.#mac, at + 6)
    return true
  }
}
