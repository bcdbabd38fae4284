import { compileFilter, interpretFilter, PacketLayout } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { CaseRandom, LONGEST_PACKET, randomFilter, randomPacket } from '../../src/index.ts'

test('an expression has one verdict, interpreted and generated, for a million packets', () => {
  const random = new CaseRandom(1)
  const bytes = new Uint8Array(LONGEST_PACKET)
  const layout = new PacketLayout()
  let matches = 0
  let disagreements = 0
  for (let i = 0; i < 4000; i++) {
    const expression = randomFilter(random)
    const { match, means } = compileFilter(expression)
    expect(means).toBe('generated')
    for (let k = 0; k < 250; k++) {
      const length = randomPacket(random, bytes)
      if (k % 10 === 0) layout.ofPayload(0, length)
      else layout.ofFrame(bytes, 0, length)
      const verdict = match(bytes, layout)
      if (verdict) matches++
      if (verdict !== interpretFilter(expression, bytes, layout)) disagreements++
    }
  }
  expect(disagreements).toBe(0)
  // Verdicts of both kinds, or nothing was shown.
  expect(matches / 1e6).toBeGreaterThan(0.2)
  expect(matches / 1e6).toBeLessThan(0.8)
})
