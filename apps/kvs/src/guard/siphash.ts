/** SipHash-2-4 (Aumasson, Bernstein 2012) of one 8-byte message, on 32-bit lanes. `out` gets the low and the high word. */
export class SipHash {
  readonly #key: Int32Array
  readonly out = new Int32Array(2)
  // The state v0..v3 as lo, hi pairs.
  readonly #v = new Int32Array(8)

  /** @param key 16 bytes */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16)
    this.#key = Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at, true))
  }

  hash(lo: number, hi: number): void {
    const v = this.#v
    const key = this.#key
    v[0] = key[0] ^ 0x70736575
    v[1] = key[1] ^ 0x736f6d65
    v[2] = key[2] ^ 0x6e646f6d
    v[3] = key[3] ^ 0x646f7261
    v[4] = key[0] ^ 0x6e657261
    v[5] = key[1] ^ 0x6c796765
    v[6] = key[2] ^ 0x79746573
    v[7] = key[3] ^ 0x74656462
    this.#block(lo, hi)
    // The last block holds no bytes but the length, 8, in its top byte.
    this.#block(0, 8 << 24)
    v[4] ^= 0xff
    for (let round = 0; round < 4; round++) this.#round()
    this.out[0] = v[0] ^ v[2] ^ v[4] ^ v[6]
    this.out[1] = v[1] ^ v[3] ^ v[5] ^ v[7]
  }

  #block(lo: number, hi: number): void {
    const v = this.#v
    v[6] ^= lo
    v[7] ^= hi
    this.#round()
    this.#round()
    v[0] ^= lo
    v[1] ^= hi
  }

  #round(): void {
    const v = this.#v
    add(v, 0, 2)
    rotate(v, 2, 13)
    xor(v, 2, 0)
    rotate(v, 0, 32)
    add(v, 4, 6)
    rotate(v, 6, 16)
    xor(v, 6, 4)
    add(v, 0, 6)
    rotate(v, 6, 21)
    xor(v, 6, 0)
    add(v, 4, 2)
    rotate(v, 2, 17)
    xor(v, 2, 4)
    rotate(v, 4, 32)
  }
}

function add(v: Int32Array, to: number, from: number): void {
  const lo = (v[to] >>> 0) + (v[from] >>> 0)
  v[to + 1] = v[to + 1] + v[from + 1] + (lo > 0xffffffff ? 1 : 0)
  v[to] = lo
}

function xor(v: Int32Array, to: number, from: number): void {
  v[to] ^= v[from]
  v[to + 1] ^= v[from + 1]
}

/** Rotates 64 bits left by 1..32. */
function rotate(v: Int32Array, at: number, bits: number): void {
  const lo = v[at]
  const hi = v[at + 1]
  if (bits === 32) {
    v[at] = hi
    v[at + 1] = lo
    return
  }
  v[at] = (lo << bits) | (hi >>> (32 - bits))
  v[at + 1] = (hi << bits) | (lo >>> (32 - bits))
}
