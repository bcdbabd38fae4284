import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Flight } from '../../../src/tcp/recovery/flight.ts'
import { PHASE_LOSS, PHASE_OPEN } from '../../../src/tcp/recovery/loss-recovery.ts'
import { LOST, RESENT, SACKED } from '../../../src/tcp/recovery/transmit-records.ts'
import { MSS, Scenario } from './support/scenario.ts'

/** Whatever a connection and its peer may do, in any order and with any pause between. */
const call = fc.record({
  kind: fc.constantFrom(
    ...[
      'send',
      'send',
      'short',
      'ack',
      'ack',
      'ackAll',
      'sack',
      'sack',
      'sackMany',
      'duplicate',
      'bare',
      'expire',
      'expire',
    ],
    ...['resend', 'resend', 'probe', 'mtu', 'echo', 'idle', 'renege'],
  ),
  pause: fc.constantFrom(0, 0, 1, 10, 30, 100, 400),
  at: fc.nat(1000),
  size: fc.integer({ min: 1, max: 12 }),
})

const settings = fc.record({
  congestionControl: fc.constantFrom('cubic' as const, 'newreno' as const, 'none' as const),
  rack: fc.boolean(),
  tailLossProbe: fc.boolean(),
  undo: fc.boolean(),
})

function recount(s: Scenario): void {
  const { records, flight } = s.recovery
  let pipe = 0
  let sacked = 0
  let expected = records.una
  for (let at = records.head; at !== records.tail; at = (at + 1) | 0) {
    const flags = records.flagsOf(at)
    const length = records.lengthOf(at)
    if (length <= 0 || records.sequenceOf(at) !== expected) throw new Error('the records have a gap')
    expected = records.endOf(at)
    if ((flags & SACKED) !== 0) sacked += length
    if ((flags & (SACKED | LOST)) === 0) pipe += length
    if ((flags & (SACKED | RESENT)) === RESENT) pipe += length
  }
  expect(records.pipe).toBe(pipe)
  expect(records.sackedBytes).toBe(sacked)
  const cursor = (flight.cursor - records.head) | 0
  if (!records.isEmpty) expect(cursor).toBeLessThanOrEqual(records.count)
}

describe('any order of calls', () => {
  it('leaves the sums right, the timers set while something is in flight, and ends when all is acknowledged', () => {
    fc.assert(
      fc.property(
        fc.array(call, { maxLength: 200, size: 'max' }),
        settings,
        fc.boolean(),
        fc.boolean(),
        (calls, set, sack, timestamps) => {
          const s = new Scenario(set, { sack, timestamps, first: 0x7fff_f000 })
          let clock = 100
          const outstanding = () => Math.ceil(((s.next - s.una) | 0) / MSS)
          const known = () => ((s.una - s.first) | 0) / MSS
          for (const { kind, pause, at, size } of calls) {
            clock += pause
            s.at(clock)
            const echo = timestamps ? { echo: clock - (at % 200) } : {}
            const place = (): [number, number] => {
              const from = known() + 1 + (at % Math.max(1, outstanding()))
              return [from, from + size]
            }
            if (kind === 'send') s.fill(size)
            else if (kind === 'short') s.send(1, 1 + at)
            else if (kind === 'ack') s.ack(known() + Math.min(size, ((s.next - s.una) | 0) / MSS), echo)
            else if (kind === 'ackAll') s.ack(((s.next - s.first) | 0) / MSS, echo)
            else if (kind === 'sack') s.ack(known(), { sack: [place()], ...echo })
            else if (kind === 'sackMany')
              s.ack(known(), { sack: [place(), [known() + 2, known() + 3], place()], ...echo })
            else if (kind === 'duplicate') s.ack(known(), { sack: [[known() - 1, known()]], ...echo })
            else if (kind === 'bare') s.ack(known(), echo)
            else if (kind === 'renege') s.ack(known(), { sack: [[known() + 1, known() + 2]], ...echo })
            else if (kind === 'resend') s.resend(at % 2 === 0)
            else if (kind === 'probe') s.resend(true)
            else if (kind === 'mtu') s.recovery.mtuReduced(200 + at, s.now)
            else if (kind === 'echo') s.recovery.ecnEcho(s.now)
            else if (kind === 'idle') s.recovery.beforeSend(s.now)
            else if (s.recovery.deadline < Number.POSITIVE_INFINITY) {
              clock = Math.max(clock, s.recovery.deadline / 1e6)
              s.at(clock)
              s.recovery.expired(s.now)
            }
            recount(s)
            const { recovery } = s
            const inFlight = !recovery.records.isEmpty
            expect(recovery.deadline < Number.POSITIVE_INFINITY).toBe(inFlight)
            expect(recovery.congestion.window).toBeGreaterThan(0)
            expect(recovery.phase).toBeGreaterThanOrEqual(PHASE_OPEN)
            expect(recovery.phase).toBeLessThanOrEqual(PHASE_LOSS)
          }
          s.at(clock + 1).ack(((s.next - s.first) | 0) / MSS)
          expect(s.recovery.records.isEmpty).toBe(true)
          expect(s.recovery.bytesInFlight).toBe(0)
          expect(s.recovery.deadline).toBe(Number.POSITIVE_INFINITY)
          // The stand-in for a flight that is not there stays as it was made.
          const none = Flight.NONE
          expect([none.records.count, none.scoreboard.count, none.lost.count, none.probe.isOwed]).toEqual([
            0,
            0,
            0,
            false,
          ])
        },
      ),
      { numRuns: 200 },
    )
  })
})
