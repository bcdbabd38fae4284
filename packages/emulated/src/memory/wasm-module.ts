/**
 * The module behind {@link createMemoryKernel}, spelled out as opcodes: it is short, and needs memories of two owners at
 * once (multi-memory), which no compiler at hand can be asked for. Memory 0 is a pool's region, memory 1 the network's.
 *
 * `put(to, from, length)` copies from 0 to 1, `take(to, from, length)` from 1 to 0, `move(to, from, length)` within 1, and
 * `sum(at, length)` adds up bytes of 1 as little-endian 16-bit words in ones' complement (RFC 1071, section 2: the byte order
 * does not matter, so the sum is formed in the machine's own), folded to 16 bits.
 */
const I32 = 0x7f
const I64 = 0x7e
const V128 = 0x7b
const VOID = 0x40

const END = 0x0b
const BLOCK = 0x02
const LOOP = 0x03
const IF = 0x04
const RETURN = 0x0f
const BR_IF = 0x0d
const GET = 0x20
const SET = 0x21
const TEE = 0x22
const I32_CONST = 0x41
const I64_CONST = 0x42
const I32_EQZ = 0x45
const I32_LT_U = 0x49
const I32_GT_U = 0x4b
const I32_GE_U = 0x4f
const I32_ADD = 0x6a
const I32_SUB = 0x6b
const I64_ADD = 0x7c
const I64_AND = 0x83
const I64_SHR_U = 0x88
const I32_WRAP_I64 = 0xa7
const I32_LOAD8_U = 0x2d
const I32_STORE8 = 0x3a
const I64_LOAD32_U = 0x35
const I64_LOAD16_U = 0x33
const I64_LOAD8_U = 0x31
const MEMORY_COPY = [0xfc, 0x0a]
const V128_LOAD = [0xfd, 0x00]
const V128_STORE = [0xfd, 0x0b]
const V128_CONST_0 = [0xfd, 0x0c, ...new Array<number>(16).fill(0)]
const I64X2_EXTRACT = [0xfd, 0x1d]
const I64X2_EXTEND_LOW_U = [0xfd, 0xc9, 0x01]
const I64X2_EXTEND_HIGH_U = [0xfd, 0xca, 0x01]
const I64X2_ADD = [0xfd, 0xce, 0x01]

/** Above this many bytes the engine's own memcpy is quicker than a loop, in spite of the call that it costs. */
const COPY_BY_CALL = 512

function unsigned(value: number): number[] {
  const bytes: number[] = []
  do {
    const byte = value & 0x7f
    value >>>= 7
    bytes.push(value === 0 ? byte : byte | 0x80)
  } while (value !== 0)
  return bytes
}

function signed(value: bigint): number[] {
  const bytes: number[] = []
  for (;;) {
    const byte = Number(value & 0x7fn)
    value >>= 7n
    const done = (value === 0n && (byte & 0x40) === 0) || (value === -1n && (byte & 0x40) !== 0)
    bytes.push(done ? byte : byte | 0x80)
    if (done) return bytes
  }
}

const i32 = (value: number) => [I32_CONST, ...signed(BigInt(value))]
const i64 = (value: bigint) => [I64_CONST, ...signed(value)]
/** Alignment 0 (none promised); bit 6 says that a memory index follows. */
const at = (memory: number) => [0x40, memory, 0]
const string = (text: string) => [...unsigned(text.length), ...Buffer.from(text, 'latin1')]
const vector = (items: number[][]) => [...unsigned(items.length), ...items.flat()]
const section = (id: number, body: number[]) => [id, ...unsigned(body.length), ...body]
const body = (locals: number[][], code: number[]) => {
  const bytes = [...vector(locals), ...code, END]
  return [...unsigned(bytes.length), ...bytes]
}

/** 16 bytes a step; the last step overlaps the one before, so that exactly `length` bytes are written. */
function copy(to: number, from: number): number[] {
  const [TO, FROM, LENGTH, LAST] = [0, 1, 2, 3]
  const word = [GET, TO, GET, FROM, ...V128_LOAD, ...at(from), ...V128_STORE, ...at(to)]
  const step = (by: number, local: number) => [GET, local, ...i32(by), I32_ADD, SET, local]
  const copied = [GET, TO, GET, FROM, GET, LENGTH, ...MEMORY_COPY, to, from, RETURN]
  const byte = [GET, TO, GET, FROM, I32_LOAD8_U, ...at(from), I32_STORE8, ...at(to)]
  const fewer = [I32_CONST, 1, I32_SUB, TEE, LENGTH]
  return body(
    [[1, I32]],
    [
      ...[GET, LENGTH, ...i32(COPY_BY_CALL), I32_GE_U, IF, VOID, ...copied, END],
      ...[GET, LENGTH, ...i32(16), I32_LT_U, IF, VOID],
      ...[BLOCK, VOID, GET, LENGTH, I32_EQZ, BR_IF, 0],
      ...[LOOP, VOID, ...byte, ...step(1, TO), ...step(1, FROM), GET, LENGTH, ...fewer, BR_IF, 0, END, END],
      ...[RETURN, END],
      ...[GET, FROM, GET, LENGTH, I32_ADD, ...i32(16), I32_SUB, SET, LAST],
      ...[LOOP, VOID, ...word, ...step(16, TO), ...step(16, FROM), GET, FROM, GET, LAST, I32_LT_U, BR_IF, 0, END],
      ...[GET, TO, GET, LAST, GET, FROM, I32_SUB, I32_ADD, SET, TO, GET, LAST, SET, FROM, ...word],
    ],
  )
}

/** Adds 32-bit words into two 64-bit lanes, which cannot overflow below 2^32 words, then folds. */
function sum(memory: number): number[] {
  const [AT, LENGTH, TOTAL, LANES, WORDS] = [0, 1, 2, 3, 4]
  const lanes = (extend: number[]) => [GET, LANES, GET, WORDS, ...extend, ...I64X2_ADD, SET, LANES]
  const advance = (by: number) => [
    ...[GET, AT, ...i32(by), I32_ADD, SET, AT],
    ...[GET, LENGTH, ...i32(by), I32_SUB, SET, LENGTH],
  ]
  const rest = (bytes: number, load: number) => [
    ...[GET, LENGTH, ...i32(bytes), I32_GE_U, IF, VOID],
    ...[GET, TOTAL, GET, AT, load, ...at(memory), I64_ADD, SET, TOTAL, ...advance(bytes), END],
  ]
  const fold = (bits: number, mask: bigint) => [
    ...[GET, TOTAL, ...i64(mask), I64_AND, GET, TOTAL, ...i64(BigInt(bits)), I64_SHR_U, I64_ADD, SET, TOTAL],
  ]
  return body(
    [
      [1, I64],
      [2, V128],
    ],
    [
      ...[...V128_CONST_0, SET, LANES],
      ...[BLOCK, VOID, GET, LENGTH, ...i32(16), I32_LT_U, BR_IF, 0, LOOP, VOID],
      ...[GET, AT, ...V128_LOAD, ...at(memory), SET, WORDS],
      ...[...lanes(I64X2_EXTEND_LOW_U), ...lanes(I64X2_EXTEND_HIGH_U), ...advance(16)],
      ...[GET, LENGTH, ...i32(15), I32_GT_U, BR_IF, 0, END, END],
      ...[GET, LANES, ...I64X2_EXTRACT, 0, GET, LANES, ...I64X2_EXTRACT, 1, I64_ADD, SET, TOTAL],
      ...[LOOP, VOID, ...rest(4, I64_LOAD32_U), GET, LENGTH, ...i32(4), I32_GE_U, BR_IF, 0, END],
      ...[...rest(2, I64_LOAD16_U), ...rest(1, I64_LOAD8_U)],
      ...[...fold(32, 0xffff_ffffn), ...fold(32, 0xffff_ffffn)],
      ...[...fold(16, 0xffffn), ...fold(16, 0xffffn), ...fold(16, 0xffffn), GET, TOTAL, I32_WRAP_I64],
    ],
  )
}

export function kernelModuleBytes(): Uint8Array {
  /** Shared, from 0 to 65536 pages: any region fits. */
  const memory = (name: string) => [...string('memory'), ...string(name), 0x02, 0x03, 0, ...unsigned(65_536)]
  const exported = (name: string, index: number) => [...string(name), 0x00, index]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      vector([
        [0x60, 3, I32, I32, I32, 0],
        [0x60, 2, I32, I32, 1, I32],
      ]),
    ),
    ...section(2, vector([memory('pool'), memory('network')])),
    ...section(3, vector([[0], [0], [0], [1]])),
    ...section(7, vector([exported('put', 0), exported('take', 1), exported('move', 2), exported('sum', 3)])),
    ...section(10, vector([copy(1, 0), copy(0, 1), copy(1, 1), sum(1)])),
  ])
}
