import { describe, expect, it } from 'vitest'
import { MSS, Scenario, warm } from './support/scenario.ts'
import { random } from './support/transfer.ts'

describe('a peer that means harm', () => {
  it('SACK with gaps everywhere costs about the same for a long and a short flight', () => {
    const cost = (segments: number): number => {
      const s = warm(segments, { congestionControl: 'none' })
      s.at(200).send(segments)
      const started = process.cpuUsage()
      // Every second segment, from the end: the longest list of ranges, filled at its front.
      let reported = 0
      for (let at = segments - 1; at > 1; at -= 2, reported++) s.ack(0, { sack: [[at, at + 1]] })
      const { user, system } = process.cpuUsage(started)
      expect(s.recovery.records.sackedCount).toBe(reported)
      return (1000 * (user + system)) / segments
    }
    cost(2000)
    // Of processor time, in nanoseconds; the best of some, as the machine may be busy with other things.
    const best = (segments: number) => Math.min(...[1, 2, 3].map(() => cost(segments)))
    const short = best(2000)
    const long = best(32_000)
    // Quadratic work would be sixteen times as much for each.
    expect(long).toBeLessThan(8 * short + 2000)
  })

  it('any SACK blocks at all leave the sums right and end with the cumulative acknowledgment', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const next = random(seed)
      const s = warm(50)
      s.at(200).send(50)
      for (let i = 0; i < 200; i++) {
        s.at(200 + i)
        const block = (): [number, number] => [next() * 70 - 10, next() * 70 - 10]
        s.ack(0, { sack: [block(), block(), block()] })
        s.resend()
        const { records } = s.recovery
        expect(records.pipe).toBeGreaterThanOrEqual(0)
        expect(records.sackedBytes + records.lostBytes).toBeLessThanOrEqual(records.flightSize)
      }
      s.at(1000).ack(50)
      expect(s.recovery.records.isEmpty).toBe(true)
      expect(s.pipe).toBe(0)
    }
  })

  it('duplicates without end let out one segment each at most', () => {
    const s = warm(10, {}, { sack: false })
    s.at(200).send(10)
    for (let i = 0; i < 1000; i++) {
      s.at(300 + i / 1000).ack(0)
      expect(s.resend().length + s.fill()).toBeLessThanOrEqual(1)
    }
  })

  it('an acknowledgment of more than was told (a window probe was taken) leaves nothing behind', () => {
    const s = new Scenario()
    s.at(200).send(2)
    s.next += 1
    s.at(300)
    s.ack((2 * MSS + 1) / MSS)
    expect(s.recovery.records.isEmpty).toBe(true)
    s.send(1)
    s.ack((3 * MSS + 1) / MSS)
    expect(s.recovery.records.isEmpty).toBe(true)
  })
})
