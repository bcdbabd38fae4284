import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type BlockDevice,
  ClaimedCounters,
  createPlainWindow,
  leaseBlockRange,
  leaseNetQueue,
  leasePersistentRange,
  type NetDevice,
  type PersistentDevice,
} from '../src/index.ts'

test('a device that has nothing to enforce a lease with answers EPERM, and says what to do', () => {
  const refusal = expect.objectContaining({
    code: 'EPERM',
    subject: expect.stringContaining('nic'),
    remedy: expect.stringContaining('in a worker'),
  })
  const device = { name: 'nic' }
  expect(() => leaseNetQueue(device as NetDevice, 0, createPlainWindow(1))).toThrow(refusal)
  expect(() => leaseBlockRange(device as BlockDevice, { namespace: 1, firstLba: 0, blocks: 1 })).toThrow(refusal)
  expect(() => leasePersistentRange(device as PersistentDevice, { byteOffset: 0, byteLength: 64 })).toThrow(refusal)
})

test('of claimed counters only counts are believed', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.double(), fc.nat(), fc.constant(-1))), (claims) => {
      const memory = new Float64Array(1)
      const counters = new ClaimedCounters(memory)
      let last = 0
      for (const claim of claims) {
        memory[0] = claim
        if (Number.isSafeInteger(claim) && claim >= 0) last = claim
        expect(counters.refresh()[0]).toBe(last + 0)
      }
    }),
  )
})
