import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EVER_RESENT, LOST, RESENT, SACKED } from '../../../src/tcp/recovery/transmit-records.ts'
import { type Fate, lossy, MS, random, Transfer, type TransferOptions } from './support/transfer.ts'

const DELAY = 50 * MS

/** What a path does to packets, drawn at random but repeatable. */
interface Path {
  seed: number
  loss: number
  ackLoss: number
  reorder: number
  duplicate: number
  jitter: number
}

const path: fc.Arbitrary<Path> = fc.record({
  seed: fc.integer({ min: 1, max: 1 << 30 }),
  loss: fc.constantFrom(0, 0.01, 0.05, 0.15, 0.3),
  ackLoss: fc.constantFrom(0, 0.02, 0.2),
  reorder: fc.constantFrom(0, 0.02, 0.2),
  duplicate: fc.constantFrom(0, 0.02),
  jitter: fc.constantFrom(0, 1, 10),
})

function fate(one: Path, loss: number, seed: number): Fate {
  const next = random(one.seed ^ seed)
  return () => {
    if (next() < loss) return []
    const delay = DELAY + next() * one.jitter * MS + (next() < one.reorder ? next() * 40 * MS : 0)
    return next() < one.duplicate ? [delay, delay + next() * 5 * MS] : [delay]
  }
}

function options(one: Path, more: Partial<TransferOptions>): TransferOptions {
  return { bytes: 150_000, data: fate(one, one.loss, 0x1111), acknowledgments: fate(one, one.ackLoss, 0x2222), ...more }
}

/** RFC 6675 section 4, SetPipe, by looking at every record; and what the records must never be. */
function recount(transfer: Transfer): number {
  const { records } = transfer.recovery
  let pipe = 0
  let expected = records.una
  // Not with expect: this is called for every record at every step.
  const must = (right: boolean, what: string) => {
    if (!right) throw new Error(what)
  }
  for (let at = records.head; at !== records.tail; at = (at + 1) | 0) {
    const flags = records.flagsOf(at)
    const length = records.lengthOf(at)
    must(length > 0, 'an empty record')
    must(records.sequenceOf(at) === expected, 'a gap between records')
    expected = records.endOf(at)
    if ((flags & SACKED) !== 0) {
      must((flags & (LOST | RESENT)) === 0, 'a record that is sacked and lost')
      continue
    }
    must((flags & RESENT) === 0 || (flags & EVER_RESENT) !== 0, 'a retransmission that never was')
    if ((flags & LOST) === 0) pipe += length
    if ((flags & RESENT) !== 0) pipe += length
  }
  must(records.isEmpty || expected === records.next, 'records that end before SND.NXT')
  return pipe
}

const variants: [string, Partial<TransferOptions>][] = [
  ['RACK', {}],
  ['RACK without timestamps', { timestamps: false }],
  ['RACK, no probes, no undo', { settings: { tailLossProbe: false, undo: false } }],
  ['RFC 6675', { settings: { rack: false } }],
  ['NewReno without SACK', { sack: false, settings: { congestionControl: 'newreno' } }],
  ['no SACK, no timestamps', { sack: false, timestamps: false }],
  ['no congestion control', { settings: { congestionControl: 'none' }, window: 32_768 }],
  ['a window of two segments', { window: 2000, bytes: 30_000 }],
  ['wrapping sequence numbers', { initialSequence: -20_000 }],
]

describe.each(variants)('transfers over random paths: %s', (_name, variant) => {
  it('everything arrives, the pipe equals a recount at every step, and is never negative', () => {
    fc.assert(
      fc.property(path, (one) => {
        const transfer = new Transfer(
          options(one, {
            ...variant,
            check: (running) => {
              const pipe = recount(running)
              const { records, bytesInFlight } = running.recovery
              if (records.pipe !== pipe) throw new Error(`pipe ${records.pipe}, counted ${pipe}`)
              if (bytesInFlight < 0) throw new Error(`${bytesInFlight} bytes in flight`)
              if (variant.sack !== false && bytesInFlight !== pipe) throw new Error(`${bytesInFlight} is not ${pipe}`)
            },
          }),
        ).run()
        expect(transfer.done).toBe(true)
        expect(transfer.receiver.received).toBe(variant.bytes ?? 150_000)
        expect(transfer.recovery.records.isEmpty).toBe(true)
        expect(transfer.recovery.deadline).toBe(Number.POSITIVE_INFINITY)
      }),
      { numRuns: 25 },
    )
  })
})

describe('retransmissions', () => {
  it('on a path that keeps order and loses no acknowledgment, only what was lost is sent again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1 << 30 }), fc.constantFrom(0.005, 0.02, 0.05), (seed, loss) => {
        const next = random(seed)
        const lost = new Map<number, number>()
        let lostCount = 0
        let index = 0
        const transfer: Transfer = new Transfer({
          bytes: 400_000,
          // The lowest timeout would be a second reason to send; it is out of the way, and so is the probe.
          settings: { tailLossProbe: false, minimumRto: 1e9 },
          data: () => {
            const sent = transfer.sent[index++]
            // The tail always arrives, since only the timer could repair it.
            if (sent.sequence - transfer.first > 300_000 || next() >= loss) return [DELAY]
            lost.set(sent.sequence, sent.at)
            lostCount++
            return []
          },
          acknowledgments: () => [DELAY],
        })
        transfer.run()
        const again = transfer.sent.filter((sent) => sent.retransmission)
        expect(transfer.receiver.duplicates).toBe(0)
        expect(again.length).toBe(lostCount)
        for (const { sequence } of again) expect(lost.has(sequence)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('RFC 8985: what is lost is sent again one round trip and the reordering window after it was sent, not later', () => {
    // One loss in the middle of a flight, congestion control out of the way: the time is RACK's alone.
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 80 }), (victim) => {
        let index = 0
        const transfer = new Transfer({
          bytes: 100_000,
          settings: { congestionControl: 'none' },
          data: () => (index++ === victim ? [] : [DELAY]),
          acknowledgments: () => [DELAY],
        })
        transfer.run()
        const first = transfer.sent[victim]
        const again = transfer.sent.filter((sent) => sent.retransmission && sent.sequence === first.sequence)
        expect(again.length).toBe(1)
        expect(again[0].at - first.at).toBe(2 * DELAY)
      }),
    )
  })

  it('RFC 5681: undo restores: a path that only reorders ends with the window of one that does not', () => {
    const run = (reorder: boolean) => {
      let index = 0
      const transfer = new Transfer({
        bytes: 300_000,
        window: 30_000,
        settings: { congestionControl: 'newreno', hystart: false },
        // Every hundredth segment is late by more than the reordering window.
        data: () => (index++ % 100 === 50 && reorder ? [DELAY + 45 * MS] : [DELAY]),
        acknowledgments: () => [DELAY],
      })
      transfer.run()
      return transfer.recovery
    }
    const calm = run(false)
    const disturbed = run(true)
    expect(disturbed.retransmissions).toBeGreaterThan(0)
    expect(disturbed.undone).toBeGreaterThan(0)
    expect(disturbed.congestion.slowStartThreshold).toBe(calm.congestion.slowStartThreshold)
    expect(disturbed.congestion.window).toBeGreaterThanOrEqual(0.9 * calm.congestion.window)
  })

  it('the receiver that takes back what it reported gets it again', () => {
    const random1 = random(5)
    const transfer = new Transfer({
      bytes: 200_000,
      data: lossy(DELAY, 0.05, 3),
      acknowledgments: () => [DELAY],
      check: (running) => {
        if (random1() < 0.02) running.receiver.renege()
      },
    }).run()
    expect(transfer.done).toBe(true)
    expect(transfer.receiver.next).toBe(transfer.first + 200_000)
  })

  it('sends nothing while nothing is heard but what the timers allow', () => {
    const transfer = new Transfer({
      bytes: 100_000,
      settings: { initialWindow: 10 },
      data: () => [],
      acknowledgments: () => [],
    }).run(20e9)
    // Ten segments, one probe, and the first segment after each timeout of 1, 2, 4 and 8 seconds or less.
    const again = transfer.sent.filter((sent) => sent.retransmission)
    expect(transfer.sent.length - again.length).toBeLessThanOrEqual(11)
    expect(again.length).toBeLessThanOrEqual(8)
    const timeouts = again.filter((sent) => sent.sequence === transfer.first).map((sent) => sent.at)
    for (let i = 2; i < timeouts.length; i++) {
      expect((timeouts[i] - timeouts[i - 1]) / (timeouts[i - 1] - timeouts[i - 2])).toBeCloseTo(2, 5)
    }
  })
})
