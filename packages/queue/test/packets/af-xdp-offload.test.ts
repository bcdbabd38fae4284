import { type AfXdpDevice, backend } from '@parakernel/af-xdp'
import {
  assertNoLeaks,
  createPlainWindow,
  DebugFramePool,
  expr,
  type FilterExpression,
  interpretFilter,
  MonotonicClock,
  PacketLayout,
} from '@parakernel/hal'
import { CaseRandom, LONGEST_PACKET, randomFilter, randomPacket } from '@parakernel/hal-conformance'
import { RunLoop } from '@parakernel/kernel'
import { createVethPair, LinuxHost, PacketSocket, probeLab } from '@parakernel/linux'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { createQueueRuntime, QueueAlgebra } from '../../src/index.ts'

const clock = new MonotonicClock()
const SECOND = 1_000_000_000

function labMissing(): string | undefined {
  for (const availability of [probeLab(), backend.probe({ clock })]) {
    if (!availability.available) return `needs ${availability.missing}`
  }
  return undefined
}

/** An algebra over the one queue of an interface, and a raw socket at the far end of its cable. */
async function setup(context: TestContext, label: string) {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  const pair = createVethPair({ label })
  onTestFinished(() => pair.remove())
  const host = new LinuxHost()
  const device = (await backend.open({ interface: pair.interface, take: 'all' }, { clock, host })) as AfXdpDevice
  onTestFinished(() => device.close())
  const window = createPlainWindow(512)
  const pool = new DebugFramePool(window)
  const nic = backend.attach(device.grant(0, window), { pool, clock })
  nic.setReceiveFilter({ promiscuous: true })
  const loop = new RunLoop({ clock, host })
  const runtime = createQueueRuntime(loop)
  const algebra = new QueueAlgebra(runtime, pool)
  const wire = pair.inside(() => new PacketSocket(pair.peer))
  onTestFinished(() => {
    wire.close()
    nic.detach()
    loop.close()
    assertNoLeaks(pool)
  })
  const setPacketFilter = (expression: FilterExpression | undefined) => device.setPacketFilter(0, expression)
  return { algebra, device, loop, runtime, nic, wire, setPacketFilter }
}

test('over AF_XDP the kernel has the filter: what it drops costs no frame, and random packets get the verdict they have alone', async (context) => {
  const { algebra, device, runtime, nic, wire, setPacketFilter } = await setup(context, 'qofl')
  const random = new CaseRandom(11)
  const bytes = new Uint8Array(LONGEST_PACKET)
  const layout = new PacketLayout()
  const queue = algebra.packets(nic, { setPacketFilter })
  let wanted = 0
  let dropped = 0
  for (let i = 0; i < 40; i++) {
    // Marks the end of a round: it comes through whatever the expression says.
    const mark = expr.eq(expr.field('ethernet.type'), 0x88b6)
    const expression = expr.any(mark, randomFilter(random))
    const filtered = algebra.filter(queue, expression)
    expect(algebra.explain(filtered)[0]).toMatchObject({ operation: 'filter', runs: 'device' })
    const before = device.queueStatistics(0).rxDroppedFilter
    const expected: Uint8Array[] = []
    let rejected = 0
    for (let k = 0; k < 30; k++) {
      const length = randomPacket(random, bytes)
      // A raw socket sends no shorter frame, and takes none that looks like the mark.
      if (length < 14 || (bytes[12] === 0x88 && bytes[13] === 0xb6)) continue
      const one = bytes.slice(0, length)
      layout.ofFrame(one, 0, length)
      if (interpretFilter(expression, one, layout)) expected.push(one)
      else rejected++
      while (!wire.send(one)) await new Promise(setImmediate)
    }
    const end = new Uint8Array(60)
    end.set([0x88, 0xb6], 12)
    while (!wire.send(end)) await new Promise(setImmediate)
    for (const one of [...expected, end]) {
      const completion = runtime.wait(algebra.pop(filtered), 10 * SECOND)
      if (completion.kind !== 'pop') throw new Error(`a ${completion.kind}`)
      const got = completion.sga.toBytes()
      completion.sga.free()
      if (Buffer.compare(got, one) !== 0) expect({ got, expression }).toEqual({ got: one, expression })
    }
    expect(device.queueStatistics(0).rxDroppedFilter - before).toBe(rejected)
    wanted += expected.length
    dropped += rejected
    algebra.close(filtered)
  }
  expect(algebra.explain(queue)[0].what).toMatch(/, 0 unwanted$/)
  expect(Math.min(wanted, dropped)).toBeGreaterThan(100)
  algebra.close(queue)
}, 120_000)

test('over AF_XDP what the verifier refuses runs in software, and its log is there to be read', async (context) => {
  const { algebra, device, runtime, nic, wire, setPacketFilter } = await setup(context, 'qref')
  const queue = algebra.packets(nic, { setPacketFilter })
  // Right and bounded, and with more paths than the kernel's verifier walks.
  const hashes = Array.from({ length: 70 }, (_, seed) => expr.eq(expr.hash('payload', seed, 64, seed), 0))
  const tooMuch = expr.any(...hashes, expr.eq(expr.field('ethernet.type'), 0x88b5))
  const filtered = algebra.filter(queue, tooMuch)
  const [stage] = algebra.explain(filtered)
  expect(stage).toMatchObject({ runs: 'software', why: expect.stringMatching(/the device refused it/) })
  expect(stage.refusal).toMatchObject({
    code: 'EINVAL',
    cause: { message: expect.stringMatching(/Processed \d+ insn/i) },
  })
  const [other, one] = [0x08, 0x88].map((type) => {
    const frame = new Uint8Array(100)
    frame.set([type, 0xb5], 12)
    return frame
  })
  for (const frame of [other, one]) while (!wire.send(frame)) await new Promise(setImmediate)
  const completion = runtime.wait(algebra.pop(filtered), 10 * SECOND)
  if (completion.kind !== 'pop') throw new Error(`a ${completion.kind}`)
  expect(completion.sga.toBytes()).toEqual(one)
  completion.sga.free()
  expect(device.queueStatistics(0).rxDroppedFilter).toBe(0)
  algebra.close(filtered)
  algebra.close(queue)
}, 60_000)
