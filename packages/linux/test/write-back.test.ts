import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  CACHE_LINE,
  CacheLineWriteBack,
  closeRegion,
  createMemfdRegion,
  regionAddress,
  writeBackInstruction,
} from '../src/index.ts'
import {
  assembleWriteBack,
  ENTRY_DRAIN,
  ENTRY_FLUSH,
  ENTRY_PERSIST,
  WRITE_BACK_INSTRUCTIONS,
} from '../src/memory/write-back-code.ts'
import { runWriteBack } from './fixtures/write-back-machine.ts'
import { requires } from './requirements.ts'

const BASE = 0x7f12_3450_0000
const WORDS = 0x7f00_0000_1000

/** The words as the foreign call finds them, for ranges that begin at any byte. */
function wordsOf(ranges: readonly (readonly [number, number])[]): Uint32Array {
  const words = [ranges.length, 0]
  for (const [offset, length] of ranges) {
    const first = Math.floor(offset / CACHE_LINE)
    words.push(first * CACHE_LINE, Math.floor((offset + length - 1) / CACHE_LINE) - first + 1)
  }
  return Uint32Array.from(words)
}

const range = fc.tuple(fc.integer({ min: 0, max: 2 ** 31 - 5000 }), fc.integer({ min: 1, max: 5000 }))

test.each(WRITE_BACK_INSTRUCTIONS)(
  'the code with %s touches every line of every range, once each, and no other',
  (name) => {
    const code = assembleWriteBack(BASE, WORDS, name)
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
        const expected = ranges.flatMap(([offset, length]) => {
          const first = Math.floor(offset / CACHE_LINE)
          const last = Math.floor((offset + length - 1) / CACHE_LINE)
          return Array.from({ length: last - first + 1 }, (_, i) => `${name} ${BASE + (first + i) * CACHE_LINE}`)
        })
        const words = wordsOf(ranges)
        expect(runWriteBack(code, ENTRY_FLUSH, WORDS, words)).toEqual(expected)
        expect(runWriteBack(code, ENTRY_PERSIST, WORDS, words)).toEqual([...expected, 'sfence'])
        expect(runWriteBack(code, ENTRY_DRAIN, WORDS, words)).toEqual(['sfence'])
      }),
    )
  },
)

test('the processor runs it, over more ranges than one call takes', (context) => {
  requires(context)
  const instruction = writeBackInstruction()
  if (instruction === undefined) return context.skip('no write-back instruction on this processor')
  const region = createMemfdRegion(1 << 20, 'pk-test')
  const words = new Int32Array(region.buffer)
  const writeBack = new CacheLineWriteBack(regionAddress(region), instruction)
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 2000; i++) {
      words[i * 64] = round + i
      writeBack.stage(i * 256 + (i % 64), 1 + (i % 200))
    }
    writeBack.flush()
    writeBack.drain()
    writeBack.stage(0, region.byteLength)
    writeBack.persist()
    for (let i = 0; i < 2000; i++) expect(words[i * 64]).toBe(round + i)
  }
  writeBack.close()
  writeBack.close()
  expect(() => writeBack.drain()).toThrow(expect.objectContaining({ code: 'EBADF' }))
  expect(() => writeBack.persist()).toThrow(expect.objectContaining({ code: 'EBADF' }))
  closeRegion(region)
})
