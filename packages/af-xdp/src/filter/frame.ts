import { type BpfAssembler, R6, R7, R10, type Register } from '@parakernel/linux'

/** Registers that hold for the whole of a filter: first byte of the frame, and the byte behind its last. */
export const DATA = R6
export const DATA_END = R7

/**
 * What `PacketLayout` holds, in the program's stack frame: offsets from the frame's first byte, 0 where there is no such header, and
 * facts, out of their range where they are absent.
 */
export const SLOTS = {
  network: -8,
  transport: -16,
  payload: -24,
  end: -32,
  frameEnd: -40,
  etherType: -48,
  vlan: -56,
  version: -64,
  protocol: -72,
  /** The left side of a comparison while the right one is found. */
  left: -80,
} as const

export type Slot = keyof typeof SLOTS

/** What a slot holds when there is no such thing. */
export const ABSENT = {
  network: 0,
  transport: 0,
  payload: 0,
  etherType: 0x1_0000,
  vlan: 0x1000,
  version: 0,
  protocol: 0x100,
} as const

/**
 * Offsets are below it: 18 bytes of Ethernet, 40 of IPv6, four extension headers of up to 2,048 bytes and a TCP header of 60. The
 * verifier learns it by a mask.
 */
const OFFSET_MASK = 0x3fff

export function read(code: BpfAssembler, register: Register, slot: Slot): void {
  code.load(64, register, R10, SLOTS[slot])
}

export function write(code: BpfAssembler, slot: Slot, register: Register): void {
  code.store(64, R10, SLOTS[slot], register)
}

/** `pointer` = the frame's byte at the offset in `offset`; clobbers `bound`. Jumps to `short` unless `bytes` follow it. */
export function pointInto(
  code: BpfAssembler,
  pointer: Register,
  offset: Register,
  bound: Register,
  bytes: number,
  short: string,
): void {
  code
    .mov(pointer, offset)
    .alu('and', pointer, OFFSET_MASK)
    .mov(bound, DATA)
    .add(bound, pointer)
    .mov(pointer, bound)
    .add(bound, bytes)
    .jumpIf(bound, 'gt', DATA_END, short)
}

/** A constant of 32 bits without its sign, which a move would extend. */
export function constant(code: BpfAssembler, register: Register, value: number): void {
  code.mov(register, value | 0)
  if (value > 0x7fff_ffff) code.alu('lsh', register, 32).alu('rsh', register, 32)
}
