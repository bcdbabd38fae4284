import type { PortConstraint } from './ports.ts'

const MAPPED = 0xffff

/**
 * Ports whose answers the device's Toeplitz hash brings to one queue: for devices that spread packets by RSS and take no
 * steering rules. The key and the indirection table are the device's.
 */
export class RssConstraint implements PortConstraint {
  /** The key as bits behind each bit of the input: the 32 that follow it. */
  readonly #windows: Int32Array
  readonly #table: Int32Array
  readonly #queue: number

  /**
   * @param key at least 40 bytes
   * @param table queue by the low bits of the hash; a power of two long
   */
  constructor(key: Uint8Array, table: Int32Array, queue: number) {
    this.#windows = Int32Array.from({ length: 36 * 8 }, (_, bit) => bitsAt(key, bit))
    this.#table = table
    this.#queue = queue
  }

  allows(local: Int32Array, remote: Int32Array, localPort: number, remotePort: number): boolean {
    const hash = this.hash(remote, local, remotePort, localPort)
    return this.#table[hash & (this.#table.length - 1)] === this.#queue
  }

  /** Toeplitz hash of a packet from `source` to `destination`, in the order of the RSS specification. */
  hash(source: Int32Array, destination: Int32Array, sourcePort: number, destinationPort: number): number {
    const ports = (sourcePort << 16) | destinationPort
    if (isMapped(source) && isMapped(destination)) {
      return this.#word(source[3], 0) ^ this.#word(destination[3], 32) ^ this.#word(ports, 64)
    }
    let hash = 0
    for (let i = 0; i < 4; i++) {
      hash ^= this.#word(source[i], 32 * i) ^ this.#word(destination[i], 128 + 32 * i)
    }
    return hash ^ this.#word(ports, 256)
  }

  #word(word: number, position: number): number {
    let hash = 0
    for (let bit = 0; bit < 32; bit++) if (word << bit < 0) hash ^= this.#windows[position + bit]
    return hash
  }
}

function bitsAt(key: Uint8Array, bit: number): number {
  let bits = 0
  for (let i = bit; i < bit + 32; i++) bits = (bits << 1) | ((key[i >>> 3] >>> (7 - (i & 7))) & 1)
  return bits
}

function isMapped(address: Int32Array): boolean {
  return address[0] === 0 && address[1] === 0 && address[2] === MAPPED
}
