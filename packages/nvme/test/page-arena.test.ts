import { createPlainRegion } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PageArena } from '../src/vfio/page-arena.ts'

const PAGE = 4096
const PAGES = 32

test('an arena gives runs of pages out once, and takes them back', () => {
  const region = createPlainRegion(PAGES * PAGE)
  const step = fc.record({ pages: fc.integer({ min: 1, max: PAGES + 1 }), free: fc.boolean(), which: fc.nat() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const arena = new PageArena({ region, byteOffset: 0, byteLength: PAGES * PAGE, busAddress: 1 << 30 }, PAGE)
      const owner = new Array<number>(PAGES).fill(-1)
      const held: { at: number; pages: number; id: number }[] = []
      for (const [id, { pages, free, which }] of steps.entries()) {
        if (free && held.length > 0) {
          const [run] = held.splice(which % held.length, 1)
          arena.give(run.at, run.pages * PAGE)
          owner.fill(-1, run.at / PAGE, run.at / PAGE + run.pages)
          continue
        }
        const at = arena.take(pages * PAGE)
        const possible = owner.some(
          (_, i) => i + pages <= PAGES && owner.slice(i, i + pages).every((one) => one === -1),
        )
        expect(at >= 0).toBe(possible)
        if (at < 0) continue
        for (let page = at / PAGE; page < at / PAGE + pages; page++) {
          expect(owner[page]).toBe(-1)
          owner[page] = id
        }
        held.push({ at, pages, id })
      }
    }),
  )
})
