import { createPlainRegion } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { regionAddress, StreamingCopy } from '../src/index.ts'
import { assembleStreamingCopy, ENTRY_COPY, ENTRY_COPY_PERSIST } from '../src/memory/streaming-copy-code.ts'
import { requires } from './requirements.ts'

test('both entries are the same code, but for the fence', () => {
  const code = assembleStreamingCopy(0x7f12_3450_0040, 0x7f00_0000_0008, 0x7f00_0000_1000)
  const copy = code.subarray(ENTRY_COPY, code.indexOf(0xcc) - 1)
  expect([...code.subarray(ENTRY_COPY_PERSIST, ENTRY_COPY_PERSIST + copy.length)]).toEqual([...copy])
  // SFENCE, RET
  expect([...code.subarray(ENTRY_COPY_PERSIST + copy.length)]).toEqual([0x0f, 0xae, 0xf8, 0xc3])
  expect(code[copy.length]).toBe(0xc3)
})

test('copies what it is told, and nothing beside it', (context) => {
  requires(context)
  if (process.arch !== 'x64') context.skip('the code is for x64')
  const [source, target] = [createPlainRegion(65_536), createPlainRegion(65_536)]
  const from = new Uint8Array(source.buffer)
  const to = new Uint8Array(target.buffer)
  for (let i = 0; i < from.length; i++) from[i] = Math.imul(i, 2_654_435_761) >>> 24
  // From an address in the middle, as a lease has it.
  const copy = new StreamingCopy(regionAddress(target) + 4096, regionAddress(source))
  const place = fc.nat(20_000)
  fc.assert(
    fc.property(place, place, fc.integer({ min: 1, max: 600 }), fc.boolean(), (offset, at, words, persist) => {
      to.fill(0xee)
      if (persist) copy.persist(offset, at, words * 8)
      else copy.copy(offset, at, words * 8)
      const expected = new Uint8Array(65_536).fill(0xee)
      expected.set(from.subarray(at, at + words * 8), 4096 + offset)
      expect(Buffer.compare(to, expected)).toBe(0)
    }),
  )
  copy.close()
  copy.close()
  expect(() => copy.copy(0, 0, 8)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})
