import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LostQueue } from '../../../src/tcp/recovery/lost-queue.ts'
import { ProportionalRateReduction } from '../../../src/tcp/recovery/proportional-rate-reduction.ts'
import { RetransmissionLog } from '../../../src/tcp/recovery/retransmission-log.ts'
import { SackScoreboard } from '../../../src/tcp/recovery/sack-scoreboard.ts'
import { LOST, RESENT, SACKED, TransmitRecords } from '../../../src/tcp/recovery/transmit-records.ts'
import { instant } from '../../../src/tcp/segment.ts'

/** Sequence numbers that wrap within the test. */
const START = 0x7fffff00

describe('transmit records', () => {
  const step = fc.record({
    kind: fc.constantFrom('push', 'sack', 'lose', 'resend', 'acknowledge', 'cut', 'unlose', 'unsack'),
    at: fc.nat(10_000),
    size: fc.integer({ min: 1, max: 5000 }),
  })

  it('RFC 6675 section 4: the sums of the pipe equal a recount, and nothing moves', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const records = new TransmitRecords()
        records.start(START)
        // The model: an array of records with plain flags.
        let model: { sequence: number; end: number; sacked: boolean; lost: boolean; resent: boolean }[] = []
        let next = START
        for (const { kind, at, size } of steps) {
          const index = model.length === 0 ? -1 : at % model.length
          const position = (records.head + index) | 0
          const one = model[index]
          if (kind === 'push') {
            records.push(size, 1000, 1, instant())
            for (let left = size; left > 0; left -= 1000) {
              const length = Math.min(left, 1000)
              model.push({ sequence: next, end: (next + length) | 0, sacked: false, lost: false, resent: false })
              next = (next + length) | 0
            }
          } else if (one === undefined) continue
          else if (kind === 'sack') {
            records.markSacked(position)
            Object.assign(one, { sacked: true, lost: false, resent: false })
          } else if (kind === 'lose' && !one.sacked) {
            records.markLost(position)
            Object.assign(one, { lost: true, resent: false })
          } else if (kind === 'resend' && !one.sacked) {
            records.markResent(position, 2, instant())
            one.resent = true
          } else if (kind === 'unlose') {
            records.clearLost(position)
            one.lost = false
          } else if (kind === 'unsack') {
            records.clearSacked(position)
            one.sacked = false
          } else if (kind === 'cut' && one.end - one.sequence > 1) {
            const length = 1 + (size % (one.end - one.sequence - 1 || 1))
            records.cut(position, length)
            const middle = (one.sequence + length) | 0
            model.splice(index + 1, 0, { ...one, sequence: middle })
            one.end = middle
          } else if (kind === 'acknowledge') {
            const to = (one.sequence + (size % ((one.end - one.sequence + 1) | 0))) | 0
            while (!records.isEmpty && ((records.sequenceOf(records.head) - to) | 0) < 0) records.acknowledgeHead(to)
            model = model.filter((record) => ((record.end - to) | 0) > 0)
            if (model.length > 0 && ((model[0].sequence - to) | 0) < 0) model[0].sequence = to
          }
          expect(records.count).toBe(model.length)
          let pipe = 0
          let sacked = 0
          model.forEach((record, i) => {
            const place = (records.head + i) | 0
            const length = (record.end - record.sequence) | 0
            expect(records.sequenceOf(place)).toBe(record.sequence)
            expect(records.endOf(place)).toBe(record.end)
            const flags = records.flagsOf(place)
            expect((flags & SACKED) !== 0).toBe(record.sacked)
            expect((flags & LOST) !== 0).toBe(record.lost)
            expect((flags & RESENT) !== 0).toBe(record.resent)
            if (!record.sacked && !record.lost) pipe += length
            if (!record.sacked && record.resent) pipe += length
            if (record.sacked) sacked += length
            expect(records.find(record.sequence)).toBe(place)
            expect(records.find((record.end - 1) | 0)).toBe(place)
          })
          expect(records.pipe).toBe(pipe)
          expect(records.sackedBytes).toBe(sacked)
          expect(records.sackedCount).toBe(model.filter((record) => record.sacked).length)
          expect(records.find(next)).toBe(records.tail)
        }
      }),
      { numRuns: 80 },
    )
  })

  it('gives a long ring back when nothing is in flight', () => {
    const records = new TransmitRecords()
    records.start(0)
    records.push(1_000_000, 1000, 1, instant())
    expect(records.count).toBe(1000)
    while (!records.isEmpty) records.acknowledgeHead(1_000_000)
    records.trim()
    records.push(2500, 1000, 2, instant())
    expect(records.count).toBe(3)
    expect(records.sequenceOf(records.head)).toBe(1_000_000)
  })
})

describe('SACK scoreboard', () => {
  const block = fc.record({ left: fc.nat(400), size: fc.integer({ min: 1, max: 60 }), trim: fc.boolean() })

  it('RFC 2018: keeps exactly what was reported, joined, in order', () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 80 }), (blocks) => {
        const scoreboard = new SackScoreboard()
        const known = new Set<number>()
        let una = 0
        for (const { left, size, trim } of blocks) {
          if (trim && left >= una) {
            una = left
            scoreboard.acknowledge((START + una) | 0)
            for (const byte of known) if (byte < una) known.delete(byte)
          } else if (left >= una) {
            const covered = Array.from({ length: size }, (_, i) => known.has(left + i)).every(Boolean)
            expect(scoreboard.covers((START + left) | 0, (START + left + size) | 0)).toBe(covered)
            scoreboard.add((START + left) | 0, (START + left + size) | 0)
            for (let i = 0; i < size; i++) known.add(left + i)
          }
          const bytes: number[] = []
          let before = Number.NEGATIVE_INFINITY
          for (let range = 0; range < scoreboard.count; range++) {
            const from = (scoreboard.left(range) - START) | 0
            const to = (scoreboard.right(range) - START) | 0
            expect(from).toBeGreaterThan(before)
            expect(to).toBeGreaterThan(from)
            before = to
            for (let i = from; i < to; i++) bytes.push(i)
          }
          expect(bytes).toEqual([...known].sort((a, b) => a - b))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('RFC 6675 section 4, IsLost: three ranges above, or more than two segments above', () => {
    const mss = 1000
    const scoreboard = new SackScoreboard()
    expect(scoreboard.lostBefore(0, 3, mss)).toBe(0)
    scoreboard.add(5000, 7000)
    expect(scoreboard.lostBefore(0, 3, mss)).toBe(0)
    scoreboard.add(7000, 7001)
    expect(scoreboard.lostBefore(0, 3, mss)).toBe(5000)
    scoreboard.clear()
    scoreboard.add(5000, 5100)
    scoreboard.add(7000, 7100)
    expect(scoreboard.lostBefore(0, 3, mss)).toBe(0)
    scoreboard.add(9000, 9100)
    expect(scoreboard.lostBefore(0, 3, mss)).toBe(5000)
    scoreboard.add(11_000, 11_100)
    expect(scoreboard.lostBefore(0, 3, mss)).toBe(7000)
  })
})

describe('lost queue', () => {
  it('RFC 6675 section 4, NextSeg rule 1: gives the lowest first, across the wrap', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100_000), { maxLength: 200 }), (offsets) => {
        const queue = new LostQueue()
        for (const offset of offsets) queue.push((START + offset) | 0)
        const taken: number[] = []
        for (; queue.count > 0; queue.pop()) taken.push((queue.first - START) | 0)
        expect(taken).toEqual([...offsets].sort((a, b) => a - b))
      }),
    )
  })
})

describe('retransmission log', () => {
  it('keeps order while it grows and wraps', () => {
    const log = new RetransmissionLog()
    let pushed = 0
    let shifted = 0
    for (let i = 0; i < 1000; i++) {
      for (let k = 0; k < 1 + (i % 4); k++) log.push(pushed * 10, pushed++)
      for (let k = 0; k < i % 3 && !log.isEmpty; k++) {
        expect(log.firstSerial).toBe(shifted)
        expect(log.firstSequence).toBe(shifted++ * 10)
        log.shift()
      }
    }
    for (; !log.isEmpty; log.shift()) expect(log.firstSerial).toBe(shifted++)
    expect(shifted).toBe(pushed)
  })
})

describe('proportional rate reduction (RFC 9937)', () => {
  const mss = 1000

  it('section 6: above the threshold sends the share threshold / RecoverFS of what is delivered', () => {
    const reduction = new ProportionalRateReduction()
    reduction.start(100_000, 0, 0, 70_000)
    let pipe = 100_000
    let sent = 0
    for (let i = 1; i <= 40; i++) {
      pipe -= mss
      let allowed = reduction.acknowledged(mss, pipe, false, mss)
      while (allowed >= mss) {
        reduction.sent(mss)
        sent++
        pipe += mss
        allowed -= mss
      }
      expect(Math.abs(sent - i * 0.7)).toBeLessThanOrEqual(1)
    }
  })

  it('section 6: ends at the threshold', () => {
    const reduction = new ProportionalRateReduction()
    reduction.start(100_000, 0, 0, 70_000)
    let pipe = 100_000
    for (let i = 0; i < 100; i++) {
      pipe -= mss
      let allowed = reduction.acknowledged(mss, pipe, true, mss)
      for (; allowed >= mss; allowed -= mss) {
        reduction.sent(mss)
        pipe += mss
      }
    }
    expect(pipe).toBe(70_000)
  })

  it('section 6: the first retransmission goes out at once', () => {
    const reduction = new ProportionalRateReduction()
    reduction.start(10_000, 0, 0, 5000)
    expect(reduction.acknowledged(1, 9000, false, mss)).toBe(mss)
  })

  it('section 6: below the threshold conserves packets, and catches up by a segment when it is safe', () => {
    const reduction = new ProportionalRateReduction()
    reduction.start(10_000, 0, 0, 5000)
    reduction.sent(mss)
    expect(reduction.acknowledged(2000, 1000, false, mss)).toBe(2000)
    reduction.sent(2000)
    expect(reduction.acknowledged(1000, 2000, true, mss)).toBe(2000)
    reduction.sent(2000)
    // Never beyond the threshold.
    expect(reduction.acknowledged(4000, 4500, true, mss)).toBe(500)
  })
})
