/**
 * The WebAssembly behind `crc32c`, spelled out as opcodes: it is short, and works on two memories at once (multi-memory). Memory 0
 * holds the data, memory 1 the tables: table k, at byte 1024 k, has the remainder of each byte followed by k zero bytes.
 *
 * `crc(seed, at, length)` takes 16 bytes a step through 16 tables; `fill(at, value, length)` is `memory.fill` on memory 0.
 */
const I32 = 0x7f
const VOID = 0x40
const END = 0x0b
const BLOCK = 0x02
const LOOP = 0x03
const BR_IF = 0x0d
const GET = 0x20
const SET = 0x21
const I32_CONST = 0x41
const I32_EQZ = 0x45
const I32_LT_U = 0x49
const I32_GT_U = 0x4b
const I32_ADD = 0x6a
const I32_SUB = 0x6b
const I32_AND = 0x71
const I32_XOR = 0x73
const I32_SHL = 0x74
const I32_SHR_U = 0x76
const I32_LOAD = 0x28
const I32_LOAD8_U = 0x2d
const MEMORY_FILL = [0xfc, 0x0b]

const [CRC, AT, LENGTH, WORD] = [0, 1, 2, 3]
export const TABLES = 16

function unsigned(value: number): number[] {
  const bytes: number[] = []
  do {
    const byte = value & 0x7f
    value >>>= 7
    bytes.push(value === 0 ? byte : byte | 0x80)
  } while (value !== 0)
  return bytes
}

function signed(value: number): number[] {
  const bytes: number[] = []
  for (;;) {
    const byte = value & 0x7f
    value >>= 7
    if ((value === 0 && (byte & 0x40) === 0) || (value === -1 && (byte & 0x40) !== 0)) {
      bytes.push(byte)
      return bytes
    }
    bytes.push(byte | 0x80)
  }
}

const i32 = (value: number) => [I32_CONST, ...signed(value)]
const data = (offset: number) => [0, ...unsigned(offset)]
const table = (k: number) => [I32_LOAD, 0x42, 1, ...unsigned(k * 1024)]
const string = (text: string) => [...unsigned(text.length), ...Buffer.from(text, 'latin1')]
const vector = (items: number[][]) => [...unsigned(items.length), ...items.flat()]
const section = (id: number, body: number[]) => [id, ...unsigned(body.length), ...body]
const body = (locals: number[][], code: number[]) => {
  const bytes = [...vector(locals), ...code, END]
  return [...unsigned(bytes.length), ...bytes]
}

/** The byte of `word` at `shift` bits, times 4: where a table has its entry. */
function index(word: number, shift: number): number[] {
  const moved = shift === 0 ? [...i32(2), I32_SHL] : [...i32(shift - 2), I32_SHR_U]
  return [GET, word, ...moved, ...i32(0x3fc), I32_AND]
}

/** Entries of four bytes, of which the first has `following` bytes of the step behind it. */
function lookUp(word: number, following: number): number[] {
  return [0, 8, 16, 24].flatMap((shift, i) => [
    ...index(word, shift),
    ...table(following - i),
    ...(i === 0 ? [] : [I32_XOR]),
  ])
}

function crc(): number[] {
  const words = [0, 1, 2, 3].flatMap((k) => [
    GET,
    AT,
    I32_LOAD,
    ...data(4 * k),
    ...(k === 0 ? [GET, CRC, I32_XOR] : []),
    SET,
    WORD + k,
  ])
  const step = [0, 1, 2, 3].flatMap((k) => [...lookUp(WORD + k, 15 - 4 * k), ...(k === 0 ? [] : [I32_XOR])])
  const advance = (by: number) => [
    ...[GET, AT, ...i32(by), I32_ADD, SET, AT],
    ...[GET, LENGTH, ...i32(by), I32_SUB, SET, LENGTH],
  ]
  const byte = [
    ...[GET, CRC, GET, AT, I32_LOAD8_U, ...data(0), I32_XOR, ...i32(0xff), I32_AND, ...i32(2), I32_SHL, ...table(0)],
    ...[GET, CRC, ...i32(8), I32_SHR_U, I32_XOR, SET, CRC],
  ]
  return body(
    [[4, I32]],
    [
      ...[GET, CRC, ...i32(-1), I32_XOR, SET, CRC],
      ...[BLOCK, VOID, GET, LENGTH, ...i32(16), I32_LT_U, BR_IF, 0, LOOP, VOID],
      ...[...words, ...step, SET, CRC, ...advance(16)],
      ...[GET, LENGTH, ...i32(15), I32_GT_U, BR_IF, 0, END, END],
      ...[BLOCK, VOID, GET, LENGTH, I32_EQZ, BR_IF, 0, LOOP, VOID],
      ...[...byte, ...advance(1), GET, LENGTH, BR_IF, 0, END, END],
      ...[GET, CRC, ...i32(-1), I32_XOR],
    ],
  )
}

export function crcModuleBytes(): Uint8Array {
  const memory = (name: string, flags: number, max: number) => [
    ...[...string('m'), ...string(name), 0x02, flags, 0],
    ...(flags === 0x03 ? unsigned(max) : []),
  ]
  const fill = body([], [GET, 0, GET, 1, GET, 2, ...MEMORY_FILL, 0])
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      vector([
        [0x60, 3, I32, I32, I32, 1, I32],
        [0x60, 3, I32, I32, I32, 0],
      ]),
    ),
    ...section(2, vector([memory('data', 0x03, 65_536), memory('tables', 0x03, 65_536)])),
    ...section(3, vector([[0], [1]])),
    ...section(
      7,
      vector([
        [...string('crc'), 0, 0],
        [...string('fill'), 0, 1],
      ]),
    ),
    ...section(10, vector([crc(), fill])),
  ])
}
