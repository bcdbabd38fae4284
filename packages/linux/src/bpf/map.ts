import { check } from '../errno.ts'
import { BpfAttributes, bpf } from './command.ts'
import { BPF_MAP_CREATE, BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM } from './constants.ts'

export interface BpfMapOptions {
  /** `BPF_MAP_TYPE_*`. */
  readonly type: number
  /** Bytes of a value; keys are always u32. */
  readonly valueSize: number
  readonly entries: number
  /** `BPF_F_*`; none when absent. */
  readonly flags?: number
  /** At most 15 bytes; shown by bpftool. */
  readonly name: string
}

/** Creates a map with u32 keys. Returns its descriptor, which the caller closes; the map lives while it is referred to. */
export function createBpfMap({ type, valueSize, entries, flags = 0, name }: BpfMapOptions): number {
  const attributes = new BpfAttributes()
    .u32(0, type)
    .u32(4, 4)
    .u32(8, valueSize)
    .u32(12, entries)
    .u32(16, flags)
    .name(28, name)
  return check(bpf(BPF_MAP_CREATE, attributes), { call: 'bpf(MAP_CREATE)', subject: `bpf map ${name}` })
}

/** Sets the u32 `key` to `value`. Returns 0, or -1 with errno. */
export function updateBpfMap(map: number, key: number, value: ArrayBufferView): number {
  const attributes = new BpfAttributes().u32(0, map).pointer(8, Uint32Array.of(key)).pointer(16, value)
  return bpf(BPF_MAP_UPDATE_ELEM, attributes)
}

/** Puts a descriptor (a socket into an XSKMAP) under `key`. Returns 0, or -1 with errno. */
export function putDescriptor(map: number, key: number, descriptor: number): number {
  return updateBpfMap(map, key, Uint32Array.of(descriptor))
}

/** Copies the value of `key` into `value`. Returns 0, or -1 with errno (ENOENT: none). */
export function lookupBpfMap(map: number, key: number, value: Uint8Array): number {
  const attributes = new BpfAttributes().u32(0, map).pointer(8, Uint32Array.of(key)).pointer(16, value)
  return bpf(BPF_MAP_LOOKUP_ELEM, attributes)
}

/** Removes `key`. Returns 0, or -1 with errno (ENOENT: there was none). */
export function deleteFromBpfMap(map: number, key: number): number {
  return bpf(BPF_MAP_DELETE_ELEM, new BpfAttributes().u32(0, map).pointer(8, Uint32Array.of(key)))
}
