import { checkFilter, expr, type FilterExpression, interpretFilter, PacketLayout } from '@parakernel/hal'
import { CaseRandom, LONGEST_PACKET, randomFilter, randomPacket } from '@parakernel/hal-conformance'
import {
  BPF_PROG_TYPE_XDP,
  BpfAssembler,
  closeDescriptors,
  loadBpfProgram,
  R0,
  R1,
  runBpfProgram,
  XDP_DROP,
  XDP_PASS,
} from '@parakernel/linux'
import { expect, test } from 'vitest'
import { emitFilters } from '../../src/filter/compile.ts'
import { DATA, DATA_END } from '../../src/filter/frame.ts'
import { labMissing } from '../veth-fixture.ts'

/** Passes what the expression matches. */
function load(expression: FilterExpression): number {
  checkFilter(expression)
  const code = new BpfAssembler().load(32, DATA, R1, 0).load(32, DATA_END, R1, 4)
  emitFilters(code, [{ label: 'only', expression }], () => {}, 'match', 'mismatch')
  code.label('match').mov(R0, XDP_PASS).exit().label('mismatch').mov(R0, XDP_DROP).exit()
  return loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code: code.assemble(), name: 'pk_filter' })
}

/** Programs and packets for each; a million verdicts with PARAKERNEL_LONG=1. */
const [PROGRAMS, PACKETS] = process.env['PARAKERNEL_LONG'] === '1' ? [4000, 250] : [400, 100]

test('in the kernel an expression has the verdict that it has in JavaScript', (context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  const random = new CaseRandom(2)
  const bytes = new Uint8Array(LONGEST_PACKET)
  const layout = new PacketLayout()
  let matches = 0
  let judged = 0
  for (let i = 0; i < PROGRAMS; i++) {
    const expression = randomFilter(random)
    const program = load(expression)
    try {
      for (let k = 0; k < PACKETS; k++) {
        const length = randomPacket(random, bytes)
        // The kernel hands no shorter frame to a program.
        if (length < 14) continue
        layout.ofFrame(bytes, 0, length)
        const expected = interpretFilter(expression, bytes, layout)
        const verdict = runBpfProgram(program, bytes.slice(0, length)) === XDP_PASS
        if (verdict !== expected) {
          expect({ verdict, expression, packet: Buffer.from(bytes.slice(0, length)).toString('hex') }).toBe(expected)
        }
        judged++
        if (expected) matches++
      }
    } finally {
      closeDescriptors(program)
    }
  }
  expect(matches / judged).toBeGreaterThan(0.2)
  expect(matches / judged).toBeLessThan(0.8)
}, 600_000)

test('the largest set, the longest hash and many parts pass the verifier', (context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  const port = expr.field('udp.destinationPort')
  const many = Array.from({ length: 1024 }, (_, i) => i * 61)
  const hashes = Array.from({ length: 16 }, (_, i) => expr.eq(expr.modulo(expr.hash('payload', 0, 64, i), 16), i))
  for (const expression of [expr.within(port, many), expr.any(...hashes), expr.all(...hashes.map(expr.not))]) {
    closeDescriptors(load(expression))
  }
})
