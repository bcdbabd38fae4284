/**
 * Changes to blocks of metadata, as the journal keeps them: [target u32] [offset u32, bit 31: the block begins as zeroes]
 * [length u32] [bytes, padded to 4]. They are physical and repeatable: done again over any mixture of the block's old and new
 * content, all of them in order since the block was last written home yield the new one.
 */
const FRESH = 0x8000_0000
const ENTRY = 12
/** Equal bytes between two changes that are logged with them rather than apart. */
const GAP = 16

/** A growing list of changes. */
export class DeltaWriter {
  bytes = new Uint8Array(16_384)
  view = new DataView(this.bytes.buffer)
  length = 0

  clear(): void {
    this.length = 0
  }

  /** Logs what differs between two versions of a block; without `before`, all of it. Lengths are multiples of 4. */
  diff(target: number, before: Uint8Array | undefined, after: Uint8Array): void {
    const size = after.length
    const next = new Int32Array(after.buffer, after.byteOffset, size >> 2)
    const words = next.length
    if (before === undefined) {
      // What is zero at the end need not be said.
      let end = words
      while (end > 8 && next[end - 1] === 0) end--
      this.#entry(target, 0, end << 2, after, true)
      return
    }
    const old = new Int32Array(before.buffer, before.byteOffset, words)
    let i = 0
    while (i < words) {
      while (i < words && old[i] === next[i]) i++
      if (i === words) return
      const start = i
      let end = ++i
      while (i < words && (i - end) << 2 < GAP) {
        if (old[i] !== next[i]) end = i + 1
        i++
      }
      this.#entry(target, start << 2, (end - start) << 2, after, false)
      i = end
    }
  }

  #entry(target: number, offset: number, length: number, bytes: Uint8Array, fresh: boolean): void {
    const at = this.length
    this.#room(at + ENTRY + length)
    this.view.setUint32(at, target, true)
    this.view.setUint32(at + 4, fresh ? FRESH : offset, true)
    this.view.setUint32(at + 8, length, true)
    this.bytes.set(bytes.subarray(offset, offset + length), at + ENTRY)
    this.length = at + ENTRY + length
  }

  #room(length: number): void {
    if (length <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(length, this.bytes.length * 2))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
    this.view = new DataView(larger.buffer)
  }
}

/** What replay found: by block, the changes to it in order. */
export class Overlay {
  readonly #changes = new Map<number, { offset: number; bytes: Uint8Array; fresh: boolean }[]>()

  get size(): number {
    return this.#changes.size
  }

  has(target: number): boolean {
    return this.#changes.has(target)
  }

  /** Whether the block's place on the media says nothing about it. */
  isWhole(target: number): boolean {
    return this.#changes.get(target)?.[0].fresh === true
  }

  apply(target: number, bytes: Uint8Array): void {
    for (const change of this.#changes.get(target) ?? []) {
      if (change.fresh) bytes.fill(0)
      bytes.set(change.bytes, change.offset)
    }
  }

  /** Takes the changes of one record. False, and nothing taken, when they are not well formed. */
  take(payload: Uint8Array, clusterSize: number, clusters: number, root: number): boolean {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
    const entries: [number, { offset: number; bytes: Uint8Array; fresh: boolean }][] = []
    let at = 0
    while (at < payload.length) {
      if (payload.length - at < ENTRY) return false
      const target = view.getUint32(at, true)
      const packed = view.getUint32(at + 4, true)
      const length = view.getUint32(at + 8, true)
      const fresh = (packed & FRESH) !== 0
      const offset = packed & 0x7fff_ffff
      if ((target >= clusters && target !== root) || length > clusterSize || offset > clusterSize - length) return false
      if (at + ENTRY + length > payload.length) return false
      entries.push([target, { offset, bytes: payload.subarray(at + ENTRY, at + ENTRY + length), fresh }])
      at += ENTRY + length
    }
    for (const [target, change] of entries) {
      const list = this.#changes.get(target)
      if (list === undefined || change.fresh) this.#changes.set(target, [change])
      else list.push(change)
    }
    return true
  }
}
