import { describe, expect, test } from 'vitest'
import { BpfAssembler, R0, R1, R2, R3, R4, R5, R6, R7, R10 } from '../src/index.ts'

const hex = (code: BpfAssembler) => Buffer.from(code.assemble()).toString('hex')

/** Expected bytes are those of clang 14 for the same line of assembly (RFC 9669's for the bit test, which it cannot parse). */
describe('BpfAssembler encodes', () => {
  test.each([
    ['r0 = 2', new BpfAssembler().mov(R0, 2), 'b700000002000000'],
    ['r6 = r1', new BpfAssembler().mov(R6, R1), 'bf16000000000000'],
    ['r0 = -1', new BpfAssembler().mov(R0, -1), 'b7000000ffffffff'],
    ['r4 += 14', new BpfAssembler().add(R4, 14), '070400000e000000'],
    ['r4 += r5', new BpfAssembler().add(R4, R5), '0f54000000000000'],
    ['r4 -= r5', new BpfAssembler().alu('sub', R4, R5), '1f54000000000000'],
    ['r4 &= 15', new BpfAssembler().alu('and', R4, 15), '570400000f000000'],
    ['r4 <<= 2', new BpfAssembler().alu('lsh', R4, 2), '6704000002000000'],
    ['r4 >>= 2', new BpfAssembler().alu('rsh', R4, 2), '7704000002000000'],
    ['r4 ^= r4', new BpfAssembler().alu('xor', R4, R4), 'af44000000000000'],
    ['r4 |= 1', new BpfAssembler().alu('or', R4, 1), '4704000001000000'],
    ['r4 *= 3', new BpfAssembler().alu('mul', R4, 3), '2704000003000000'],
    ['r5 = *(u8 *)(r2 + 23)', new BpfAssembler().load(8, R5, R2, 23), '7125170000000000'],
    ['r5 = *(u16 *)(r2 + 12)', new BpfAssembler().load(16, R5, R2, 12), '69250c0000000000'],
    ['r2 = *(u32 *)(r6 + 0)', new BpfAssembler().load(32, R2, R6, 0), '6162000000000000'],
    ['r1 = *(u64 *)(r10 - 8)', new BpfAssembler().load(64, R1, R10, -8), '79a1f8ff00000000'],
    ['*(u32 *)(r6 + 12) = r5', new BpfAssembler().store(32, R6, 12, R5), '63560c0000000000'],
    ['*(u8 *)(r10 - 1) = r5', new BpfAssembler().store(8, R10, -1, R5), '735affff00000000'],
    ['r1 = be16 r1', new BpfAssembler().toBigEndian(16, R1), 'dc01000010000000'],
    ['r1 = be32 r1', new BpfAssembler().toBigEndian(32, R1), 'dc01000020000000'],
    ['r1 = map[fd 5] ll', new BpfAssembler().loadMap(R1, 5), '18110000050000000000000000000000'],
    ['call bpf_redirect_map', new BpfAssembler().call(51), '8500000033000000'],
    ['exit', new BpfAssembler().exit(), '9500000000000000'],
    ['if r4 > r3 goto +0', new BpfAssembler().jumpIf(R4, 'gt', R3, 'a').label('a'), '2d34000000000000'],
    ['if r5 == 2054 goto +0', new BpfAssembler().jumpIf(R5, 'eq', 2054, 'a').label('a'), '1505000006080000'],
    ['if w5 != -1 goto +0', new BpfAssembler().jumpIf32(R5, 'ne', -1, 'a').label('a'), '56050000ffffffff'],
    ['if r5 & 8191 goto +0', new BpfAssembler().jumpIf(R5, 'set', 8191, 'a').label('a'), '45050000ff1f0000'],
    ['if r5 < 20 goto +0', new BpfAssembler().jumpIf(R5, 'lt', 20, 'a').label('a'), 'a505000014000000'],
    ['if r5 <= 20 goto +0', new BpfAssembler().jumpIf(R5, 'le', 20, 'a').label('a'), 'b505000014000000'],
    ['if r5 >= 20 goto +0', new BpfAssembler().jumpIf(R5, 'ge', 20, 'a').label('a'), '3505000014000000'],
  ])('%s', (_, code, expected) => expect(hex(code)).toBe(expected))

  test('jumps forward and backward by instructions, map loads counting as two', () => {
    const code = new BpfAssembler()
      .label('top')
      .jumpIf(R1, 'eq', 0, 'end')
      .loadMap(R1, 0)
      .jump('top')
      .label('end')
      .exit()
    const words = new DataView(code.assemble().buffer)
    expect(words.getInt16(2, true)).toBe(3)
    expect(words.getInt16(3 * 8 + 2, true)).toBe(-4)
  })

  test('negative distances leave the opcode and registers alone', () => {
    const code = new BpfAssembler().label('top').mov(R7, 0).jumpIf(R7, 'eq', R7, 'top')
    expect(hex(code).slice(16)).toBe('1d77feff00000000')
  })
})

test('what no jump reaches is left out', () => {
  const code = new BpfAssembler().mov(R7, 1).jump('end').loadMap(R1, 0).call(3).label('end').exit()
  expect(hex(code)).toBe(hex(new BpfAssembler().mov(R7, 1).jump('end').label('end').exit()))
})

describe('BpfAssembler refuses', () => {
  test.each([
    ['an unknown label', () => new BpfAssembler().jump('nowhere').assemble()],
    ['a label defined twice', () => new BpfAssembler().label('a').label('a')],
    [
      'a jump that is too far',
      () => {
        const code = new BpfAssembler().jumpIf(R1, 'eq', 0, 'end')
        for (let i = 0; i < 0x8000; i++) code.mov(R0, 0)
        code.label('end').assemble()
      },
    ],
  ])('%s', (_, build) => expect(build).toThrow(expect.objectContaining({ code: 'EINVAL' })))
})
