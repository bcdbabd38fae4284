import { describe, expect, test } from 'vitest'
import {
  BPF_F_MMAPABLE,
  BPF_MAP_TYPE_ARRAY,
  BPF_PROG_TYPE_XDP,
  BpfAssembler,
  bpfMapInfo,
  bpfProgramInfo,
  closeDescriptors,
  createBpfMap,
  deleteFromBpfMap,
  loadBpfProgram,
  lookupBpfMap,
  mapById,
  mapDescriptor,
  programById,
  R0,
  R1,
  R2,
  runBpfProgram,
  updateBpfMap,
  XDP_DROP,
  XDP_PASS,
} from '../src/index.ts'
import { requires } from './requirements.ts'

const frame = new Uint8Array(64)

describe('programs', () => {
  test('are verified, loaded and run', (context) => {
    requires(context, 'CAP_BPF')
    const code = new BpfAssembler().mov(R0, XDP_DROP).exit().assemble()
    const program = loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code, name: 'pk_test' })
    expect(runBpfProgram(program, frame)).toBe(XDP_DROP)
    const info = bpfProgramInfo(program)
    expect(info).toMatchObject({ name: 'pk_test', mapIds: [] })
    const twin = programById(info?.id ?? 0)
    expect(runBpfProgram(twin, frame)).toBe(XDP_DROP)
    closeDescriptors(program, twin)
  })

  test('that the verifier rejects are EINVAL with its words as the cause', (context) => {
    requires(context, 'CAP_BPF')
    // Reads the packet without asking where it ends.
    const code = new BpfAssembler().load(32, R2, R1, 0).load(8, R0, R2, 0).exit().assemble()
    let error: unknown
    try {
      loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code, name: 'pk_test' })
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ code: 'EINVAL', subject: 'bpf program pk_test' })
    expect(String((error as Error).cause)).toMatch(/invalid access to packet/)
  })

  test('decide by the packet', (context) => {
    requires(context, 'CAP_BPF')
    const code = new BpfAssembler()
      .load(32, R2, R1, 4)
      .load(32, R1, R1, 0)
      .mov(R0, R1)
      .add(R0, 14)
      .jumpIf(R0, 'gt', R2, 'pass')
      .load(8, R0, R1, 0)
      .jumpIf(R0, 'ne', 7, 'pass')
      .mov(R0, XDP_DROP)
      .exit()
      .label('pass')
      .mov(R0, XDP_PASS)
      .exit()
      .assemble()
    const program = loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code, name: 'pk_test' })
    expect(runBpfProgram(program, frame)).toBe(XDP_PASS)
    expect(
      runBpfProgram(
        program,
        frame.map(() => 7),
      ),
    ).toBe(XDP_DROP)
    closeDescriptors(program)
  })
})

test('maps hold what was put in', (context) => {
  requires(context, 'CAP_BPF')
  const map = createBpfMap({ type: BPF_MAP_TYPE_ARRAY, valueSize: 8, entries: 4, name: 'pk_test' })
  const info = bpfMapInfo(map)
  expect(info).toMatchObject({ type: BPF_MAP_TYPE_ARRAY, entries: 4, name: 'pk_test' })
  expect(updateBpfMap(map, 2, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))).toBe(0)
  const twin = mapById(info?.id ?? 0)
  const value = new Uint8Array(8)
  expect(lookupBpfMap(twin, 2, value)).toBe(0)
  expect([...value]).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(updateBpfMap(map, 4, value)).toBe(-1)
  expect(lookupBpfMap(map, 9, value)).toBe(-1)
  // Entries of an array cannot be deleted.
  expect(deleteFromBpfMap(map, 2)).toBe(-1)
  closeDescriptors(map, twin)
})

test('a program and this process share the memory of a mapped array', (context) => {
  requires(context, 'CAP_BPF')
  const map = createBpfMap({
    type: BPF_MAP_TYPE_ARRAY,
    valueSize: 4096,
    entries: 1,
    flags: BPF_F_MMAPABLE,
    name: 'pk_test',
  })
  const mapping = mapDescriptor(map, 0, 4096, 'test')
  const words = new BigUint64Array(mapping.buffer)
  // Adds what word 3 says to word 2.
  const code = new BpfAssembler()
    .loadMapValue(R1, map, 24)
    .load(64, R2, R1, 0)
    .loadMapValue(R1, map, 0)
    .atomicAdd(R1, 16, R2)
    .mov(R0, XDP_PASS)
    .exit()
    .assemble()
  const program = loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code, name: 'pk_test' })
  Atomics.store(words, 3, 5n)
  for (let i = 0; i < 3; i++) expect(runBpfProgram(program, frame)).toBe(XDP_PASS)
  expect(Atomics.load(words, 2)).toBe(15n)
  closeDescriptors(program, map)
  mapping.unmap()
})
