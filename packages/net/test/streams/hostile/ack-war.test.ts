import { sgaFromBytes } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { MeddledPair } from '../support/middle.ts'
import { withChecksums } from '../support/mutation.ts'
import { pattern } from '../support/pair.ts'
import { echo, Innocent } from './support/innocent.ts'

const IP = 14
const TCP = IP + 20
const SECOND = 1e9

/** A frame whose TCP segment has its numbers moved. */
function shifted(frame: Uint8Array, sequence: number, acknowledgment: number): Uint8Array {
  const copy = frame.slice()
  const view = new DataView(copy.buffer)
  view.setInt32(TCP + 4, view.getInt32(TCP + 4) + sequence)
  view.setInt32(TCP + 8, view.getInt32(TCP + 8) + acknowledgment)
  return withChecksums(copy)
}

describe('two stacks whose connection somebody has put out of step', () => {
  it.each([
    ['behind each other', -100_000, 0],
    ['ahead of each other', 1_000_000, 0],
    ['by acknowledgments of nothing', 0, 1_000_000],
    ['by acknowledgments of long ago', 0, -10_000_000],
    ['in both', 5_000_000, 5_000_000],
  ])('%s, do not answer each other for ever, and others go on', async (_, sequence, acknowledgment) => {
    let out = false
    let port = 0
    let segments = 0
    const pair = await MeddledPair.create((frame) => {
      const view = new DataView(frame.buffer, frame.byteOffset)
      const isOurs = port !== 0 && frame.length >= TCP + 20 && view.getUint16(12) === 0x0800 && frame[IP + 9] === 6
      if (!out || !isOurs || (view.getUint16(TCP) !== port && view.getUint16(TCP + 2) !== port)) return [frame]
      segments++
      return [shifted(frame, sequence, acknowledgment)]
    })
    const { a, b } = pair
    const listener = b.socket('stream')
    b.bind(listener, { address: '10.0.0.2', port: 7 })
    b.listen(listener)
    echo(b, listener)
    const connect = () => {
      const qd = a.socket('stream')
      expect(a.runtime.wait(a.connect(qd, { address: '10.0.0.2', port: 7 }), SECOND).kind).toBe('connect')
      return qd
    }
    const victim = connect()
    port = a.getsockname(victim).port
    const innocent = new Innocent(a, connect())
    pair.run(SECOND / 2000)
    const calm = innocent.rounds
    expect(calm).toBeGreaterThan(5)
    out = true
    const sga = sgaFromBytes(a.pool, pattern(3000))
    void a.push(victim, sga)
    sga.free()
    const before = innocent.rounds
    pair.run(SECOND / 2000)
    expect(innocent.rounds - before).toBeGreaterThan(calm / 2)
    innocent.isResting = true
    pair.run(60 * SECOND)
    // Retransmissions with their answers, and challenges within their allowance: some a second at most.
    expect(segments).toBeLessThan(400)
    innocent.goOn()
    pair.run(SECOND / 2000)
    expect(innocent.wrong).toBe(0)
    a.close(victim)
    for (const report of await pair.close()) expect(report).toBe('')
  })
})
