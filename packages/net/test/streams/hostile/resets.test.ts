import { describe, expect, it } from 'vitest'
import { ACK, FIN, PSH, RST, SYN } from '../../../src/tcp/segment.ts'
import { pattern } from '../support/pair.ts'
import { tcpFrame } from '../support/raw-peer.ts'
import { Siege } from './support/siege.ts'

const WINDOW = 65_535
const PERIOD = 5000
const CHALLENGES = 10

describe('a flood of resets', () => {
  it('at random numbers hits nobody, is not answered, and is counted', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    const frames = function* () {
      for (let i = 0; i < 2000; i++) {
        const sequence = (peer.next + WINDOW + 1000 + i * 1_000_003) | 0
        yield tcpFrame({ ...siege.of(peer), sequence, flags: i % 2 === 0 ? RST : RST | ACK })
      }
    }
    siege.unharmed(() => expect(siege.attack(frames())).toEqual([]))
    // Some of them hit the window by chance: they are asked back.
    expect(siege.count('tcpDrop.ResetOutsideWindow')).toBe(2000)
    expect(siege.lines('established')).toHaveLength(1)
    await siege.close()
  })

  it('in the window but not exact is asked back, only so often, and ends nothing (RFC 5961 section 3.2)', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    const frames = function* (flags: number) {
      for (let i = 0; i < 1000; i++) yield tcpFrame({ ...siege.of(peer), sequence: peer.next + 1 + i, flags })
    }
    siege.unharmed(() => {
      const answers = siege.attack(frames(RST))
      expect(answers).toHaveLength(CHALLENGES)
      for (const { segment } of answers) {
        expect(segment).toMatchObject({ flags: ACK, sequence: peer.received, acknowledgment: peer.next, length: 0 })
      }
      // SYNs too (section 4.2), within one and the same allowance.
      expect(siege.attack(frames(SYN))).toEqual([])
    })
    expect(siege.count('tcpDrop.ResetNotExact')).toBe(1000)
    expect(siege.count('tcpDrop.SynInWindow')).toBe(1000)
    expect(siege.count('tcpExt.ChallengeAcks')).toBe(CHALLENGES)
    expect(siege.count('tcpExt.ChallengeAcksSkipped')).toBe(2000 - CHALLENGES)
    siege.rest(PERIOD)
    expect(siege.ask({ ...siege.of(peer), sequence: peer.next + 1, flags: RST })).toHaveLength(1)
    await siege.close()
  })

  it('that is exact ends the one connection that it names', async () => {
    const siege = await Siege.create()
    const peers = Array.from({ length: 50 }, (_, i) => siege.open(4000 + i))
    siege.unharmed(() => {
      siege.attack(peers.map((peer) => tcpFrame({ ...siege.of(peer), flags: RST })))
    })
    expect(siege.line().details).toMatchObject({ waiting: 0, reset: 50 })
    expect(siege.lines('established')).toHaveLength(0)
    expect(siege.count('tcp.tcpEstabResets')).toBe(50)
    await siege.close()
  })
})

describe('a storm of acknowledgments', () => {
  it('of what was never sent is answered only so often (RFC 5961 section 5.2)', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    const frames = function* () {
      for (let i = 1; i <= 1000; i++) {
        yield tcpFrame({ ...siege.of(peer), acknowledgment: (peer.received + i * 1000) | 0, flags: ACK })
      }
    }
    siege.unharmed(() => expect(siege.attack(frames())).toHaveLength(CHALLENGES))
    expect(siege.count('tcpDrop.AckOfUnsent')).toBe(1000)
    await siege.close()
  })

  it('of what is long gone, too', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    const frames = function* () {
      for (let i = 1; i <= 500; i++) {
        yield tcpFrame({ ...siege.of(peer), acknowledgment: (peer.received - 1_000_000 - i) | 0, flags: ACK })
      }
    }
    siege.unharmed(() => expect(siege.attack(frames())).toHaveLength(CHALLENGES))
    expect(siege.count('tcpDrop.AckTooOld')).toBe(500)
    await siege.close()
  })

  it('of duplicates, with windows and SACK blocks out of nothing, draws no flood of data', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000, { sackPermitted: true })
    const { libos } = siege
    const accepted = libos.runtime.wait(libos.accept(siege.listener))
    if (accepted.kind !== 'accept') throw new Error(accepted.kind)
    const sga = libos.sgaAlloc(200_000)
    libos.push(accepted.accepted, sga)
    sga.free()
    const from = siege.answers.length
    siege.run(1)
    const flight = siege.answers.slice(from).reduce((sum, { segment }) => sum + segment.length, 0)
    expect(flight).toBeLessThanOrEqual(14_600)
    const frames = function* () {
      for (let i = 0; i < 1000; i++) {
        const left = (peer.received + 1460 + 13 * i) | 0
        const sack = {
          sackCount: 1,
          sackLeft: Int32Array.of(left, 0, 0, 0),
          sackRight: Int32Array.of(left + 10 ** (i % 9), 0, 0, 0),
        }
        yield tcpFrame({ ...siege.of(peer), ...sack, window: 60_000 + (i % 2), flags: ACK } as never)
      }
    }
    siege.unharmed(() => {
      const sent = siege.attack(frames()).reduce((sum, { segment }) => sum + segment.length, 0)
      expect(sent).toBeLessThan(4 * 65_535)
    })
    libos.close(accepted.accepted)
    siege.ask({ ...siege.of(peer), flags: RST })
    await siege.close()
  })

  it('that is optimistic ends at what was sent', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    const { libos } = siege
    const accepted = libos.runtime.wait(libos.accept(siege.listener))
    if (accepted.kind !== 'accept') throw new Error(accepted.kind)
    const sga = libos.sgaAlloc(300_000)
    const push = libos.push(accepted.accepted, sga)
    sga.free()
    siege.unharmed(() => {
      // Every segment, before it can have arrived: one byte at a time, to inflate the window (RFC 3465 bounds it).
      for (let i = 0; i < 300; i++) {
        peer.received = (peer.received + 1) | 0
        const sent = siege.ask({ ...siege.of(peer), flags: ACK }).reduce((sum, { segment }) => sum + segment.length, 0)
        expect(sent).toBeLessThanOrEqual(65_535)
      }
    })
    const cwnd = Number(siege.line(accepted.accepted).details['cwnd'])
    expect(cwnd).toBeLessThan(14_600 + 1000)
    libos.runtime.cancel?.(push)
    libos.close(accepted.accepted)
    siege.ask({ ...siege.of(peer), flags: RST })
    await siege.close()
  })
})

describe('data out of place', () => {
  it.each([
    ['beyond the window', WINDOW * 3, 'tcpDrop.OutsideWindow'],
    ['before the window', -5000, 'tcpDrop.DataDuplicate'],
  ])('%s is answered with one ACK each at most, and kept by nobody', async (_, offset, name) => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    const frames = function* () {
      for (let i = 0; i < 500; i++) {
        const sequence = (peer.next + (offset as number) + i) | 0
        yield tcpFrame({
          ...siege.of(peer),
          sequence,
          flags: ACK | PSH | (i % 7 === 0 ? FIN : 0),
          payload: pattern(100),
        })
      }
    }
    siege.unharmed(() => expect(siege.attack(frames()).length).toBeLessThanOrEqual(500))
    expect(siege.count(name as string)).toBe(500)
    await siege.close()
  })
})
