import { formatFilter, interpretFilter, PacketLayout, parseFilter } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { CaseRandom, LONGEST_PACKET, randomFilter, randomPacket } from '../../src/index.ts'

test('the text of an expression means the same', () => {
  const random = new CaseRandom(5)
  const bytes = new Uint8Array(LONGEST_PACKET)
  const layout = new PacketLayout()
  let parsed = 0
  for (let i = 0; i < 4000; i++) {
    const expression = randomFilter(random)
    const text = formatFilter(expression)
    // Text for people leaves long sets out.
    if (/, and \d+ more/.test(text)) continue
    const again = parseFilter(text)
    expect(parseFilter(formatFilter(again))).toEqual(again)
    for (let packet = 0; packet < 10; packet++) {
      layout.ofFrame(bytes, 0, randomPacket(random, bytes))
      expect(interpretFilter(again, bytes, layout), text).toBe(interpretFilter(expression, bytes, layout))
    }
    parsed++
  }
  expect(parsed).toBeGreaterThan(2000)
})
