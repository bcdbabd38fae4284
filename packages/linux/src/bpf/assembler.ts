import { ParakernelError } from '@parakernel/hal'
import { reachable } from './reachable.ts'

/** An eBPF register, told apart from an immediate by its type. */
export interface Register {
  readonly register: number
}

const register = (number: number): Register => Object.freeze({ register: number })

/** Return value, and result of helper calls. */
export const R0 = register(0)
/** First argument: the context at entry. R1 to R5 do not survive a helper call, R6 to R9 do. */
export const R1 = register(1)
export const R2 = register(2)
export const R3 = register(3)
export const R4 = register(4)
export const R5 = register(5)
export const R6 = register(6)
export const R7 = register(7)
export const R8 = register(8)
export const R9 = register(9)
/** Frame pointer, read only. */
export const R10 = register(10)

/** A source operand: a register, or a 32-bit immediate that is sign-extended. */
export type Operand = Register | number

// Instruction classes and sizes, RFC 9669 sections 3 and 5.1.
const LDX = 0x61
const STX = 0x63
const ALU64 = 0x07
const JMP = 0x05
const JMP32 = 0x06
const SOURCE_REGISTER = 0x08
const WIDTH: Readonly<Record<number, number>> = { 32: 0x00, 16: 0x08, 8: 0x10, 64: 0x18 }

const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
} as const
const CONDITION = { eq: 0x10, gt: 0x20, ge: 0x30, set: 0x40, ne: 0x50, lt: 0xa0, le: 0xb0 } as const

export type AluOperation = keyof typeof ALU
export type Condition = keyof typeof CONDITION
export type Width = 8 | 16 | 32 | 64

/** Jump distances are int16, counted in instructions from the one that follows. */
const MAX_JUMP = 0x7fff

/**
 * Assembles eBPF (RFC 9669) with labels. Each method appends an instruction and returns the assembler, so that a program
 * reads from top to bottom. Loads and stores use the machine's byte order (little-endian here): use `toBigEndian` on a
 * number taken from a packet, or compare with a constant in network order.
 */
export class BpfAssembler {
  readonly #code: number[] = []
  readonly #labels = new Map<string, number>()
  readonly #jumps: { at: number; label: string }[] = []

  /** dst = dst op src, on 64 bits. */
  alu(operation: AluOperation, dst: Register, src: Operand): this {
    return this.#operate(ALU64 | ALU[operation], dst, src, 0)
  }

  mov(dst: Register, src: Operand): this {
    return this.alu('mov', dst, src)
  }

  add(dst: Register, src: Operand): this {
    return this.alu('add', dst, src)
  }

  /** dst = *(uint{width} *)(base + offset), zero-extended. */
  load(width: Width, dst: Register, base: Register, offset: number): this {
    return this.#emit(LDX | WIDTH[width], dst.register, base.register, offset, 0)
  }

  /** *(uint{width} *)(base + offset) = src. */
  store(width: Width, base: Register, offset: number, src: Register): this {
    return this.#emit(STX | WIDTH[width], base.register, src.register, offset, 0)
  }

  /** Converts between the machine's order and network order; the bits above `width` become zero. */
  toBigEndian(width: 16 | 32 | 64, dst: Register): this {
    return this.#emit(0xdc, dst.register, 0, 0, width)
  }

  /** Loads a reference to the map with this descriptor; two instruction slots. */
  loadMap(dst: Register, descriptor: number): this {
    const PSEUDO_MAP_FD = 1
    return this.#emit(0x18, dst.register, PSEUDO_MAP_FD, 0, descriptor).#emit(0, 0, 0, 0, 0)
  }

  /** Loads the address of byte `offset` of an array map's only value; two instruction slots. */
  loadMapValue(dst: Register, descriptor: number, offset: number): this {
    const PSEUDO_MAP_VALUE = 2
    return this.#emit(0x18, dst.register, PSEUDO_MAP_VALUE, 0, descriptor).#emit(0, 0, 0, 0, offset)
  }

  /** *(uint64_t *)(base + offset) += src, for all cores at once. */
  atomicAdd(base: Register, offset: number, src: Register): this {
    return this.#emit(0xdb, base.register, src.register, offset, 0)
  }

  jump(label: string): this {
    this.#jumps.push({ at: this.#code.length, label })
    return this.#emit(JMP, 0, 0, 0, 0)
  }

  /** Jumps when `left condition right` holds, unsigned, on 64 bits (an immediate is sign-extended). */
  jumpIf(left: Register, condition: Condition, right: Operand, label: string): this {
    this.#jumps.push({ at: this.#code.length, label })
    return this.#operate(JMP | CONDITION[condition], left, right, 0)
  }

  /** As `jumpIf` on the lower 32 bits: for constants with the top bit set. */
  jumpIf32(left: Register, condition: Condition, right: Operand, label: string): this {
    this.#jumps.push({ at: this.#code.length, label })
    return this.#operate(JMP32 | CONDITION[condition], left, right, 0)
  }

  /** Calls a kernel helper, `BPF_FUNC_*`. */
  call(helper: number): this {
    return this.#emit(0x85, 0, 0, 0, helper)
  }

  exit(): this {
    return this.#emit(0x95, 0, 0, 0, 0)
  }

  /** Names the next instruction. */
  label(name: string): this {
    if (this.#labels.has(name)) throw invalid(`label ${name} is defined twice`)
    this.#labels.set(name, this.#code.length)
    return this
  }

  /**
   * Resolves the labels, leaves out what cannot be reached, and encodes. Throws EINVAL for an unknown label or a jump that is too
   * far.
   */
  assemble(): Uint8Array {
    const targets = new Map(this.#jumps.map(({ at, label }) => [at, this.#positionOf(label)]))
    const kept = reachable(this.#code, (at) => targets.get(at))
    /** Where each word goes. */
    const moved = new Map<number, number>()
    const words: number[] = []
    for (let at = 0; at < this.#code.length; at += 2) {
      moved.set(at, words.length)
      if (kept.has(at)) words.push(this.#code[at], this.#code[at + 1])
    }
    moved.set(this.#code.length, words.length)
    for (const { at, label } of this.#jumps) {
      if (!kept.has(at)) continue
      const from = moved.get(at) as number
      const distance = ((moved.get(targets.get(at) as number) as number) - from) / 2 - 1
      if (distance < -MAX_JUMP || distance > MAX_JUMP) throw invalid(`label ${label} is too far away`)
      words[from] = (words[from] & 0xffff) | (distance << 16)
    }
    return new Uint8Array(Int32Array.from(words).buffer)
  }

  #positionOf(label: string): number {
    const position = this.#labels.get(label)
    if (position === undefined) throw invalid(`label ${label} is not defined`)
    return position
  }

  #operate(opcode: number, dst: Register, src: Operand, offset: number): this {
    return typeof src === 'number'
      ? this.#emit(opcode, dst.register, 0, offset, src)
      : this.#emit(opcode | SOURCE_REGISTER, dst.register, src.register, offset, 0)
  }

  /** Two little-endian words an instruction: opcode, registers and offset; immediate. */
  #emit(opcode: number, dst: number, src: number, offset: number, immediate: number): this {
    this.#code.push(opcode | (dst << 8) | (src << 12) | (offset << 16), immediate | 0)
    return this
  }
}

const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject: 'eBPF assembler' })
