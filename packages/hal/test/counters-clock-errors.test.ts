import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  Counters,
  countersBuffer,
  MonotonicClock,
  NET_COUNTERS,
  NetCounters,
  ParakernelError,
  RX_BYTES,
  RX_DROPPED_FAULT,
  RX_DROPPED_FILTER,
  RX_DROPPED_NO_FRAME,
  RX_DROPPED_RING_FULL,
  RX_DROPPED_TOO_LONG,
  RX_PACKETS,
  reasonOf,
  sumCounters,
  TX_BYTES,
  TX_DROPPED,
  TX_INVALID_DESCRIPTORS,
  TX_PACKETS,
  TX_RING_FULL,
  TX_TOO_LONG,
  TX_UNSUPPORTED,
  VirtualClock,
  WAKE_UPS,
} from '../src/index.ts'

describe('counters', () => {
  test('are read by name through the memory that another thread writes', () => {
    const writer = new Counters(['a', 'b'])
    const reader = new Counters(['a', 'b'], structuredClone(writer.values.buffer) as SharedArrayBuffer)
    writer.values[1] = 2 ** 53 - 1
    writer.values[0]++
    expect(reader.get('b')).toBe(Number.MAX_SAFE_INTEGER)
    expect(reader.snapshot()).toEqual({ a: 1, b: Number.MAX_SAFE_INTEGER })
    expect(countersBuffer(['a', 'b', 'c']).byteLength).toBe(24)
  })

  test('add up', () => {
    const names = ['a', 'b'] as const
    expect(sumCounters(names, [])).toEqual({ a: 0, b: 0 })
    expect(
      sumCounters(names, [
        { a: 1, b: 2 },
        { a: 10, b: 20 },
      ]),
    ).toEqual({ a: 11, b: 22 })
  })

  test('of a net queue are in the order of their indices', () => {
    const indices = {
      rxPackets: RX_PACKETS,
      rxBytes: RX_BYTES,
      rxDroppedNoFrame: RX_DROPPED_NO_FRAME,
      rxDroppedRingFull: RX_DROPPED_RING_FULL,
      rxDroppedTooLong: RX_DROPPED_TOO_LONG,
      rxDroppedFilter: RX_DROPPED_FILTER,
      rxDroppedFault: RX_DROPPED_FAULT,
      txPackets: TX_PACKETS,
      txBytes: TX_BYTES,
      txRingFull: TX_RING_FULL,
      txInvalidDescriptors: TX_INVALID_DESCRIPTORS,
      txTooLong: TX_TOO_LONG,
      txUnsupported: TX_UNSUPPORTED,
      txDropped: TX_DROPPED,
      wakeUps: WAKE_UPS,
    }
    expect(Object.keys(indices)).toEqual([...NET_COUNTERS])
    const counters = new NetCounters()
    for (const [name, index] of Object.entries(indices)) counters.values[index] = name.length
    for (const name of NET_COUNTERS) expect(counters.get(name)).toBe(name.length)
  })
})

describe('clocks', () => {
  test('the machine clock never goes back and is on the time line of hrtime', () => {
    const clock = new MonotonicClock()
    let last = clock.now()
    for (let i = 0; i < 10_000; i++) {
      const now = clock.now()
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
    expect(Math.abs(last - Number(process.hrtime.bigint()))).toBeLessThan(5e6)
    expect(Math.abs(new MonotonicClock().now() - clock.now())).toBeLessThan(5e6)
  })

  test('a virtual clock moves when told, and never back', () => {
    const clock = new VirtualClock(100)
    clock.advance(50)
    clock.advanceTo(120)
    expect(clock.now()).toBe(150)
    clock.advanceTo(200.5)
    expect(clock.now()).toBe(200.5)
    expect(new VirtualClock().now()).toBe(0)
  })
})

describe('errors', () => {
  test('say what failed, why, and what to do', () => {
    const cause = new Error('below')
    const error = new ParakernelError('EBUSY', 'the queue has an owner', {
      subject: 'veth0 queue 3',
      remedy: 'Reclaim it first',
      cause,
    })
    expect(error.message).toBe('veth0 queue 3: the queue has an owner (EBUSY). Reclaim it first')
    expect(error).toMatchObject({ name: 'ParakernelError', code: 'EBUSY', subject: 'veth0 queue 3', cause })
    expect(error).toBeInstanceOf(Error)
    expect(inspect(error)).toContain('EBUSY')
  })

  test('need neither subject nor remedy nor cause', () => {
    const error = new ParakernelError('EIO', 'broken')
    expect(error.message).toBe('broken (EIO)')
    expect([error.subject, error.remedy, 'cause' in error]).toEqual([undefined, undefined, false])
  })

  test('can be quoted without their subject, code and remedy', () => {
    const details = { subject: 'veth0', remedy: 'Reclaim it first' }
    expect(reasonOf(new ParakernelError('EBUSY', 'has an owner (of old)', details))).toBe('has an owner (of old)')
    expect(reasonOf(new ParakernelError('EIO', 'broken'))).toBe('broken')
  })

  test('are recognised across copies of the package', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('parakernel.error')]: true })
    expect(foreign instanceof ParakernelError).toBe(true)
    for (const other of [new Error('x'), null, undefined, 'EIO', { code: 'EIO' }]) {
      expect((other as unknown) instanceof ParakernelError).toBe(false)
    }
  })
})
