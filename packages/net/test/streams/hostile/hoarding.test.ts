import { STREAM_LATER } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { ACK } from '../../../src/tcp/segment.ts'
import { pattern } from '../support/pair.ts'
import { type RawPeer, tcpFrame } from '../support/raw-peer.ts'
import { Siege } from './support/siege.ts'

const WINDOW = 65_535

/** Segments that fill a peer's window. */
function* filling(siege: Siege, peer: RawPeer, size: number): Iterable<Uint8Array> {
  for (let at = 0; at + size <= WINDOW; at += size) {
    yield tcpFrame({ ...siege.of(peer), sequence: peer.next + at, flags: ACK, payload: pattern(size, at) })
  }
}

describe('an application that never reads what many peers send', () => {
  it.each([
    ['in full segments', 1460, 40],
    ['in short ones', 600, 40],
    ['in shorter ones', 300, 20],
  ])('%s does not starve the rest', async (_, size, count) => {
    const siege = await Siege.create()
    const { libos } = siege
    // Nobody accepts: all that is sent to them is hoarded.
    siege.unharmed(() => {
      for (let i = 0; i < count; i++) siege.attack(filling(siege, siege.open(3000 + i), size))
      siege.run(500)
    }, 0.5)
    // Those that come later live as well.
    const late = siege.connectInnocent()
    siege.run(200)
    expect(late.rounds).toBeGreaterThan(5)
    expect(late.wrong).toBe(0)
    // What was taken and acknowledged is whole.
    for (let i = 0; i < count; i++) {
      const accepted = libos.runtime.wait(libos.accept(siege.listener))
      if (accepted.kind !== 'accept') throw new Error(accepted.kind)
      const held = siege.line(accepted.accepted).receiveQueue
      let at = 0
      while (at < held) {
        const popped = libos.runtime.wait(libos.pop(accepted.accepted))
        if (popped.kind !== 'pop') throw new Error(popped.kind)
        const bytes = popped.sga.toBytes()
        expect(Buffer.compare(bytes, pattern(bytes.length, at))).toBe(0)
        at += bytes.length
        popped.sga.free()
      }
      libos.close(accepted.accepted)
    }
    await siege.close()
  })

  it('which puts everything off for ever', async () => {
    const siege = await Siege.create()
    siege.libos.serveStreams(siege.listener, (burst) => burst.verdict.fill(STREAM_LATER, 0, burst.count))
    siege.unharmed(() => {
      for (let i = 0; i < 30; i++) siege.attack(filling(siege, siege.open(3000 + i), 1460))
      siege.run(500)
    }, 0.5)
    await siege.close()
  })
})

describe('peers that leave gaps', () => {
  it('one byte at a time, every other byte, from the far end: bounded, and quick', async () => {
    const siege = await Siege.create()
    const peers = Array.from({ length: 4 }, (_, i) => siege.open(3000 + i, { sackPermitted: true }))
    const frames = function* () {
      for (let at = 8000; at > 0; at -= 2) {
        for (const peer of peers) {
          yield tcpFrame({ ...siege.of(peer), sequence: peer.next + at, flags: ACK, payload: pattern(1, at) })
        }
      }
    }
    siege.unharmed(() => siege.attack(frames()))
    for (const line of siege.lines('established')) {
      expect(line.receiveQueue).toBe(0)
      expect(Number(line.details['outOfOrder'])).toBeLessThanOrEqual(4000)
    }
    const { pool } = siege.bench.machine
    expect(pool.available).toBeGreaterThan(pool.frameCount / 4)
    await siege.close()
  })

  it('in full segments of many connections: given back before anybody else suffers', async () => {
    const siege = await Siege.create()
    const peers = Array.from({ length: 40 }, (_, i) => siege.open(3000 + i, { sackPermitted: true }))
    const frames = function* () {
      for (let at = 1; at + 1460 < WINDOW; at += 1460) {
        for (const peer of peers) {
          yield tcpFrame({ ...siege.of(peer), sequence: peer.next + at, flags: ACK, payload: pattern(1460, at) })
        }
      }
    }
    siege.unharmed(() => siege.attack(frames()))
    expect(siege.count('tcpExt.Renegings') + siege.count('tcpDrop.DataNoMemory')).toBeGreaterThan(0)
    await siege.close()
  })
})
