import { createPlainRegion } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPlainKernel } from '../src/memory/memory-kernel.ts'
import { kernelModuleBytes } from '../src/memory/wasm-module.ts'

const SIZE = 65_536
const pool = createPlainRegion(SIZE)
const network = createPlainRegion(SIZE)
const poolBytes = new Uint8Array(pool.buffer)
const networkBytes = new Uint8Array(network.buffer)
// Not through createMemoryKernel: its fallback would make the comparison one of the reference with itself.
const { WebAssembly: wasm } = globalThis as never as { WebAssembly: typeof import('@parakernel/hal').wasm }
const kernel = new wasm.Instance(new wasm.Module(kernelModuleBytes()), {
  memory: { pool: pool.memory, network: network.memory },
}).exports as unknown as ReturnType<typeof createPlainKernel>
const reference = createPlainKernel(pool, network)

const range = fc.record({ to: fc.nat(20_000), from: fc.integer({ min: 30_000, max: 50_000 }), length: fc.nat(3000) })

function fill(seed: number): void {
  let x = seed | 1
  for (let i = 0; i < SIZE; i++) {
    x = Math.imul(x, 1_664_525) + 1_013_904_223
    poolBytes[i] = x >>> 24
    networkBytes[i] = x >>> 16
  }
}

describe('memory kernel', () => {
  for (const call of ['put', 'take', 'move'] as const) {
    it(`${call} copies exactly what the reference copies`, () => {
      fc.assert(
        fc.property(range, fc.nat(), ({ to, from, length }, seed) => {
          fill(seed)
          kernel[call](to, from, length)
          const got = [poolBytes.slice(), networkBytes.slice()]
          fill(seed)
          reference[call](to, from, length)
          expect(Buffer.compare(got[0], poolBytes.slice())).toBe(0)
          expect(Buffer.compare(got[1], networkBytes.slice())).toBe(0)
        }),
        { numRuns: 300 },
      )
    })
  }

  it('sums as the reference does', () => {
    fc.assert(
      fc.property(range, fc.nat(), fc.boolean(), ({ from, length }, seed, ones) => {
        fill(seed)
        if (ones) networkBytes.fill(0xff)
        expect(kernel.sum(from, length)).toBe(reference.sum(from, length))
      }),
      { numRuns: 300 },
    )
  })
})
