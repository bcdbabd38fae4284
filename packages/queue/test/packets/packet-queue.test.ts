import {
  assertNoLeaks,
  createPlainWindow,
  DebugFramePool,
  expr,
  type FilterExpression,
  GRANT_RECLAIMED,
  interpretFilter,
  type NetCapabilities,
  PacketLayout,
  ParakernelError,
  VirtualClock,
} from '@parakernel/hal'
import { CaseRandom, LONGEST_PACKET, randomFilter, randomPacket } from '@parakernel/hal-conformance'
import { RunLoop } from '@parakernel/kernel'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type Completion,
  createQueueRuntime,
  type PacketQueueOptions,
  QueueAlgebra,
  type QueueDescriptor,
  type QueueToken,
  sgaFromBytes,
} from '../../src/index.ts'
import { ScriptedNic } from '../support/scripted-nic.ts'

function setup(capabilities?: Partial<NetCapabilities>) {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const runtime = createQueueRuntime(loop)
  const pool = new DebugFramePool(createPlainWindow(256, { frameSize: 1024 }))
  const nic = new ScriptedNic(pool, capabilities)
  const algebra = new QueueAlgebra(runtime, pool, { capacity: 16 })
  const queues: QueueDescriptor[] = []
  const track = (qd: QueueDescriptor) => {
    queues.push(qd)
    return qd
  }
  onTestFinished(() => {
    for (const qd of queues.toReversed()) {
      try {
        algebra.close(qd)
      } catch (error) {
        if (!(error instanceof ParakernelError)) throw error
      }
    }
    for (let next = runtime.waitNext(0); next !== undefined; next = runtime.waitNext(0)) {
      if (next.kind === 'pop') next.sga.free()
    }
    nic.detach()
    assertNoLeaks(pool)
  })
  const bytesOf = (completion: Completion) => {
    if (completion.kind !== 'pop') return `${completion.kind} ${'code' in completion ? completion.code : ''}`.trim()
    const bytes = completion.sga.toBytes()
    completion.sga.free()
    return bytes
  }
  const rounds = (count = 4) => {
    for (let i = 0; i < count; i++) loop.runOnce()
  }
  /** Whatever can be popped now. */
  const drain = (qd: QueueDescriptor) => {
    const all: unknown[] = []
    for (;;) {
      const token = algebra.pop(qd)
      rounds()
      if (runtime.cancel(token)) {
        runtime.wait(token)
        return all
      }
      all.push(bytesOf(runtime.wait(token)))
    }
  }
  const packets = (options?: PacketQueueOptions) => track(algebra.packets(nic, options))
  return { loop, runtime, pool, nic, algebra, track, bytesOf, rounds, drain, packets }
}

/** A frame of the ethertype for experiments, which carries one number. */
const packet = (number: number, length = 64) => {
  const bytes = new Uint8Array(length).fill(0xaa)
  bytes.set([0x88, 0xb5, number], 12)
  return bytes
}
const numberIs = (number: number): FilterExpression => expr.eq(expr.load('frame', 14, 1), number)
const isOdd = expr.eq(expr.modulo(expr.load('frame', 14, 1), 2), 1)
const refusal = () =>
  new ParakernelError('EINVAL', 'the verifier refused the program', {
    subject: 'veth0',
    cause: new ParakernelError('EINVAL', 'back-edge from insn 7 to 3', { subject: 'bpf' }),
  })

describe('frames of a device queue', () => {
  test('are popped whole, and pushed', () => {
    const { algebra, runtime, nic, pool, packets, bytesOf } = setup()
    const queue = packets()
    nic.arrive(packet(1), packet(2, 700))
    expect(bytesOf(runtime.wait(algebra.pop(queue)))).toEqual(packet(1))
    expect(bytesOf(runtime.wait(algebra.pop(queue)))).toEqual(packet(2, 700))
    const sga = sgaFromBytes(pool, packet(3, 1200))
    expect(sga.segments).toHaveLength(2)
    const token = algebra.push(queue, sga)
    sga.free()
    expect(runtime.wait(token)).toMatchObject({ kind: 'push', qd: queue, bytes: 1200 })
    expect(nic.sent).toEqual([packet(3, 1200)])
  })

  test('stay in the ring while nobody wants them', () => {
    const { algebra, runtime, loop, nic, packets, rounds, bytesOf } = setup()
    const queue = packets()
    nic.arrive(...Array.from({ length: 50 }, (_, i) => packet(i)))
    rounds(200)
    expect(nic.waiting).toBe(50)
    expect(loop.pollables).toEqual([])
    expect(bytesOf(runtime.wait(algebra.pop(queue)))).toEqual(packet(0))
    expect(nic.waiting).toBe(18)
  })

  test('are copied into one frame where the device takes no chain, or wants them aligned', () => {
    const { algebra, runtime, nic, pool, packets } = setup({ maxChain: 1, transmitAlignment: 64 })
    const queue = packets()
    const whole = sgaFromBytes(pool, packet(1, 600), pool.headroom + 1)
    const token = algebra.push(queue, whole)
    whole.free()
    expect(runtime.wait(token)).toMatchObject({ kind: 'push', bytes: 600 })
    expect(nic.sent).toEqual([packet(1, 600)])
    const long = sgaFromBytes(pool, packet(1, 1500))
    expect(runtime.wait(algebra.push(queue, long))).toMatchObject({ kind: 'failed', code: 'ENOBUFS' })
    long.free()
  })

  test('that cannot be sent fail: freed, empty, too long', () => {
    const { algebra, runtime, pool, packets } = setup()
    const queue = packets()
    const freed = sgaFromBytes(pool, packet(1))
    freed.free()
    const empty = sgaFromBytes(pool, new Uint8Array(0))
    const long = sgaFromBytes(pool, packet(1, 1600))
    const codes = [freed, empty, long].map((sga) => runtime.wait(algebra.push(queue, sga)))
    expect(codes).toMatchObject([{ code: 'EINVAL' }, { code: 'EINVAL' }, { code: 'EMSGSIZE' }])
    empty.free()
    long.free()
  })

  test('wait for room in the ring, in order; a cancelled one is not sent', () => {
    const { algebra, runtime, nic, pool, packets, rounds } = setup()
    const queue = packets()
    nic.room = 1
    const tokens = [1, 2, 3].map((number) => {
      const sga = sgaFromBytes(pool, packet(number))
      const token = algebra.push(queue, sga)
      sga.free()
      return token
    })
    rounds()
    expect(tokens.map((token) => runtime.isPending(token))).toEqual([false, true, true])
    runtime.cancel(tokens[1])
    nic.room = 5
    rounds()
    expect(runtime.waitAll(tokens)).toMatchObject([{ kind: 'push' }, { code: 'ECANCELED' }, { kind: 'push' }])
    expect(nic.sent).toEqual([packet(1), packet(3)])
  })

  test("are the device's until it has sent them, whatever their owner frees (free-protection)", () => {
    const { algebra, runtime, nic, pool, packets, rounds } = setup()
    const queue = packets()
    nic.isSlow = true
    const sga = sgaFromBytes(pool, packet(7))
    const [{ frame, address }] = sga.segments
    const token = algebra.push(queue, sga)
    sga.free()
    expect(runtime.wait(token)).toMatchObject({ kind: 'push' })
    expect(pool.count(frame)).toBe(1)
    // Everything else is taken and given back: this frame is none of them.
    const others: number[] = []
    for (let other = pool.allocate(); other >= 0; other = pool.allocate()) others.push(other)
    expect(others).not.toContain(frame)
    for (const other of others) pool.release(other)
    expect(pool.bytes.slice(address, address + 64)).toEqual(packet(7))
    nic.isSlow = false
    rounds()
    expect(pool.count(frame)).toBe(0)
  })

  test('end with ENODEV when the queue is taken away', () => {
    const { algebra, runtime, nic, packets } = setup()
    const queue = packets()
    const above = algebra.filter(queue, isOdd)
    const pop = algebra.pop(above)
    nic.control.end(GRANT_RECLAIMED)
    expect(runtime.wait(pop)).toMatchObject({ kind: 'failed', code: 'ENODEV' })
    algebra.close(above)
  })

  test('come through every operation as frames', () => {
    const { algebra, nic, packets, drain, track } = setup()
    const queue = packets({ others: 'keep' })
    const key = expr.load('frame', 14, 1)
    const above = track(algebra.filter(track(algebra.sort(track(algebra.merge(queue)), key)), expr.gt(key, 1)))
    nic.arrive(packet(3), packet(1), packet(2))
    expect(drain(above)).toEqual([packet(2), packet(3)])
  })
})

describe('a filter above packets', () => {
  test('runs in the device, which drops what it does not take', () => {
    const { algebra, nic, packets, drain, track } = setup()
    const queue = packets({ setPacketFilter: nic.setFilter })
    const odd = track(algebra.filter(queue, isOdd))
    expect(nic.filter).toEqual(isOdd)
    nic.arrive(...[1, 2, 3, 4, 5].map((i) => packet(i)))
    expect(drain(odd)).toEqual([packet(1), packet(3), packet(5)])
    expect(nic.dropped).toBe(2)
    const [stage, source] = algebra.explain(odd)
    expect(stage).toMatchObject({ operation: 'filter', runs: 'device', what: '(frame[14:1] % 2) == 1' })
    expect(source).toMatchObject({ operation: 'packets', runs: 'device', what: 'nic queue 0, 0 unwanted' })
    algebra.close(odd)
    expect(nic.filter).toBeUndefined()
  })

  test('does not take what came before the device had it', () => {
    const { algebra, nic, packets, drain, track } = setup()
    const queue = packets({ setPacketFilter: nic.setFilter })
    nic.arrive(packet(2), packet(3))
    expect(drain(track(algebra.filter(queue, isOdd)))).toEqual([packet(3)])
    expect(algebra.explain(queue)[0].what).toBe('nic queue 0, 1 unwanted')
  })

  test('is one of several, which the device has together', () => {
    const { algebra, nic, packets, drain, track } = setup()
    const queue = packets({ setPacketFilter: nic.setFilter })
    const one = track(algebra.filter(queue, numberIs(1)))
    const two = track(algebra.filter(queue, numberIs(2)))
    nic.arrive(packet(1), packet(2), packet(3))
    expect([drain(one), drain(two), nic.dropped]).toEqual([[packet(1)], [packet(2)], 1])
    algebra.close(one)
    expect(nic.filter).toEqual(numberIs(2))
  })

  const refusals: [string, PacketQueueOptions, Partial<NetCapabilities>, RegExp][] = [
    ['nobody may ask the device', {}, {}, /no `setPacketFilter` was given/],
    [
      'the device has no filters',
      { setPacketFilter: () => {} },
      { packetFilter: false },
      /device has no packet filters/,
    ],
    ['others are kept', { setPacketFilter: () => {}, others: 'keep' }, {}, /stays for pops of the queue below/],
  ]
  test.each(refusals)('runs in software when %s', (_, options, capabilities, why) => {
    const { algebra, nic, packets, drain, track } = setup(capabilities)
    const odd = track(algebra.filter(packets(options), isOdd))
    nic.arrive(packet(1), packet(2))
    expect(drain(odd)).toEqual([packet(1)])
    expect(algebra.explain(odd)[0]).toMatchObject({ runs: 'software', why: expect.stringMatching(why) })
  })

  test.each([
    [
      'throws',
      () => {
        throw refusal()
      },
    ],
    [
      'rejects',
      async () => {
        throw refusal()
      },
    ],
  ])('runs in software when the device %s, and the log of its verifier is told', async (_, set) => {
    const { algebra, nic, packets, drain, track } = setup()
    const odd = track(algebra.filter(packets({ setPacketFilter: set as () => void }), isOdd))
    await new Promise(setImmediate)
    nic.arrive(packet(1), packet(2))
    expect(drain(odd)).toEqual([packet(1)])
    const [stage] = algebra.explain(odd)
    expect(stage).toMatchObject({
      runs: 'software',
      why: expect.stringMatching(/the device refused it: the verifier refused/),
    })
    expect(stage.refusal).toMatchObject({ code: 'EINVAL', cause: { message: expect.stringMatching(/back-edge/) } })
  })

  test('that the device refuses beside one that it has takes that one out as well: nothing is kept back', () => {
    const { algebra, nic, packets, drain, track } = setup()
    const set = (filter: FilterExpression | undefined) => {
      if (filter?.kind === 'any') throw refusal()
      nic.filter = filter
    }
    const queue = packets({ setPacketFilter: set })
    const one = track(algebra.filter(queue, numberIs(1)))
    const two = track(algebra.filter(queue, numberIs(2)))
    nic.arrive(packet(1), packet(2), packet(3))
    expect([drain(one), drain(two), nic.filter]).toEqual([[packet(1)], [packet(2)], undefined])
    expect(algebra.explain(one)[0]).toMatchObject({ runs: 'software', refusal: { code: 'EINVAL' } })
    algebra.close(two)
    expect(nic.filter).toEqual(numberIs(1))
    expect(algebra.explain(one)[0].runs).toBe('device')
  })

  test('is in software until a control half elsewhere has answered, and answers are taken in order', async () => {
    const { algebra, nic, packets, track } = setup()
    const asked: (() => void)[] = []
    const set = (filter: FilterExpression | undefined) =>
      new Promise<void>((resolve) => {
        asked.push(() => {
          nic.filter = filter
          resolve()
        })
      })
    const queue = packets({ setPacketFilter: set })
    const one = track(algebra.filter(queue, numberIs(1)))
    const two = track(algebra.filter(queue, numberIs(2)))
    expect(asked).toHaveLength(1)
    expect(algebra.explain(one)[0]).toMatchObject({ runs: 'software', why: expect.stringMatching(/being asked/) })
    asked[0]()
    await new Promise(setImmediate)
    expect(algebra.explain(one)[0].runs).toBe('software')
    asked[1]()
    await new Promise(setImmediate)
    expect(nic.filter).toEqual(expr.any(numberIs(1), numberIs(2)))
    expect(algebra.explain(two)[0].runs).toBe('device')
  })

  test('that is closed before the answer comes is taken away all the same', async () => {
    const { algebra, nic, packets } = setup()
    const set = async (filter: FilterExpression | undefined) => {
      await new Promise(setImmediate)
      nic.setFilter(filter)
    }
    const queue = packets({ setPacketFilter: set })
    algebra.close(algebra.filter(queue, isOdd))
    for (let i = 0; i < 5; i++) await new Promise(setImmediate)
    expect(nic.filter).toBeUndefined()
  })

  test('by a function keeps all of them in software', () => {
    const { algebra, nic, packets, drain, track } = setup()
    const queue = packets({ setPacketFilter: nic.setFilter })
    const one = track(algebra.filter(queue, numberIs(1)))
    const short = track(algebra.filter(queue, (sga) => sga.byteLength < 100))
    nic.arrive(packet(1), packet(2), packet(3, 200))
    expect([drain(one), drain(short), nic.filter]).toEqual([[packet(1)], [packet(2)], undefined])
    expect(algebra.explain(one)[0].why).toMatch(/another filter of the queue is a function/)
  })

  test('and pops of the queue itself do not go together, unless others are kept', () => {
    const { algebra, runtime, nic, packets, drain, track, bytesOf } = setup()
    const queue = packets()
    const odd = track(algebra.filter(queue, isOdd))
    expect(runtime.wait(algebra.pop(queue))).toMatchObject({ kind: 'failed', code: 'EBUSY' })
    expect(bytesOf(runtime.wait(algebra.pop(track(algebra.map(queue, (sga) => sga)))))).toBe('failed EBUSY')
    algebra.close(odd)
    algebra.close(queue)
    const popped = packets()
    nic.arrive(packet(2))
    expect(drain(popped)).toEqual([packet(2)])
    expect(() => algebra.filter(popped, isOdd)).toThrow(expect.objectContaining({ code: 'EBUSY' }))
    algebra.close(popped)
    const keeping = packets({ others: 'keep' })
    const again = track(algebra.filter(keeping, isOdd))
    nic.arrive(packet(1), packet(2))
    expect([drain(again), drain(keeping)]).toEqual([[packet(1)], [packet(2)]])
  })

  test('that nobody pops does not fill the pool', () => {
    const { algebra, runtime, nic, pool, packets, rounds, track } = setup()
    const queue = packets()
    track(algebra.filter(queue, numberIs(1)))
    const two = track(algebra.filter(queue, numberIs(2)))
    const token: QueueToken = algebra.pop(two)
    nic.arrive(...Array.from({ length: 100 }, () => packet(1)))
    rounds(20)
    expect(runtime.isPending(token)).toBe(true)
    expect(pool.frameCount - pool.available).toBe(16)
    expect(algebra.explain(queue)[0].what).toBe('nic queue 0, 84 unwanted')
  })
})

/** Expressions and packets for each; a million verdicts with PARAKERNEL_LONG=1. */
const [EXPRESSIONS, PACKETS] = process.env['PARAKERNEL_LONG'] === '1' ? [4000, 250] : [150, 200]

test('through the algebra an expression has the verdict that it has alone, in the device, in software and over chains', () => {
  const random = new CaseRandom(5)
  const bytes = new Uint8Array(LONGEST_PACKET)
  const layout = new PacketLayout()
  let matches = 0
  for (let i = 0; i < EXPRESSIONS; i++) {
    const expression = randomFilter(random)
    const loop = new RunLoop({ clock: new VirtualClock() })
    const runtime = createQueueRuntime(loop, { tokens: 256 })
    const pool = new DebugFramePool(createPlainWindow(1024, { frameSize: 1024 }))
    const nic = new ScriptedNic(pool)
    const algebra = new QueueAlgebra(runtime, pool, { capacity: 512 })
    nic.pieces = i % 3 === 2 ? 3 : 1
    const queue = algebra.packets(nic, i % 2 === 0 ? { setPacketFilter: nic.setFilter } : {})
    const filtered = algebra.filter(queue, expression)
    expect(algebra.explain(filtered)[0].runs).toBe(i % 2 === 0 ? 'device' : 'software')
    const expected: Uint8Array[] = []
    for (let k = 0; k < PACKETS; k++) {
      const length = Math.max(3, randomPacket(random, bytes))
      const one = bytes.slice(0, length)
      layout.ofFrame(one, 0, length)
      if (interpretFilter(expression, one, layout)) expected.push(one)
      nic.arrive(one)
    }
    for (const one of expected) {
      const completion = runtime.wait(algebra.pop(filtered))
      if (completion.kind !== 'pop') throw new Error(`a ${completion.kind}`)
      if (Buffer.compare(completion.sga.toBytes(), one) !== 0) expect(completion.sga.toBytes()).toEqual(one)
      completion.sga.free()
    }
    matches += expected.length
    const last = algebra.pop(filtered)
    for (let k = 0; k < 20; k++) loop.runOnce()
    expect(runtime.isPending(last)).toBe(true)
    algebra.close(filtered)
    algebra.close(queue)
    runtime.wait(last)
    assertNoLeaks(pool)
  }
  expect(matches / (EXPRESSIONS * PACKETS)).toBeGreaterThan(0.2)
  expect(matches / (EXPRESSIONS * PACKETS)).toBeLessThan(0.8)
}, 600_000)
