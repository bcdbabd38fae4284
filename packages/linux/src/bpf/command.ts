import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

/** Covers every field of `union bpf_attr` that is used here; the kernel wants the tail of a longer one to be zero. */
const ATTR_BYTES = 128

/** `union bpf_attr` under construction: little-endian fields at the offsets of linux/bpf.h. */
export class BpfAttributes {
  readonly bytes = new Uint8Array(ATTR_BYTES)
  readonly #view = new DataView(this.bytes.buffer)
  /** What the attributes point to, kept reachable until the call is over. */
  readonly #pointees: ArrayBufferView[] = []

  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true)
    return this
  }

  pointer(offset: number, to: ArrayBufferView): this {
    this.#pointees.push(to)
    this.#view.setBigUint64(offset, BigInt(foreign().addressOf(to)), true)
    return this
  }

  /** A NUL-terminated name of at most 15 bytes, as objects of the kernel carry it. */
  name(offset: number, name: string): this {
    this.bytes.set(new TextEncoder().encode(name).subarray(0, 15), offset)
    return this
  }

  read32(offset: number): number {
    return this.#view.getUint32(offset, true)
  }
}

/** bpf(2). Returns its result, negative on failure with errno set. */
export function bpf(command: number, attributes: BpfAttributes): number {
  return calls().bpf(command, attributes.bytes, ATTR_BYTES)
}
