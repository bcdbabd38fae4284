import { describe, expect, it } from 'vitest'
import { IRS, ISS } from './support/bench.ts'
import { established, synSent } from './support/states.ts'

const settings = { timestamps: true }
const stamped = () => established({ settings }, { timestamp: [1000, 0] })

describe('RFC 7323: timestamps', () => {
  it('section 3.2: every segment carries one once it is agreed, and echoes the peer', () => {
    const bench = stamped()
    bench.until(50)
    bench.write('x')
    bench.put({ data: 'y', timestamp: [1005, 40] })
    const [sent] = bench.until(200)
    expect(sent.segment).toMatchObject({ hasTimestamp: true, timestampEcho: 1005 })
    expect(sent.segment.timestampValue).toBe(90)
  })

  it('section 3.2: so does a RST', () => {
    const bench = stamped()
    bench.connection.abort()
    expect(bench.drain()[0].segment).toMatchObject({ hasTimestamp: true, timestampEcho: 1000 })
  })

  it('section 5.4: values are shifted by an offset of the connection', () => {
    const bench = synSent({ settings })
    const other = synSent({ settings })
    other.connection.recovery.timestampOffset = 1_000_000
    const stamp = (b: typeof bench) => b.until(1000)[0].segment.timestampValue
    expect(stamp(other) - stamp(bench)).toBe(1_000_000)
  })

  it('section 3.2: a segment without one is dropped silently, a RST is not', () => {
    const bench = stamped()
    expect(bench.receive({ data: 'x' })).toEqual([])
    expect(bench.counter('tcpDrop.NoTimestamp')).toBe(1)
    bench.receive({ flags: 'R' })
    expect(bench.state).toBe('closed')
  })

  it('section 5.3 R1 (PAWS): an older timestamp means an old duplicate: ACK, drop', () => {
    const bench = stamped()
    expect(bench.receive({ data: 'x', timestamp: [999, 0] })).toEqual([`. ${ISS + 1}+0 ack ${IRS + 1}`])
    expect(bench.connection.readable).toBe(0)
    expect(bench.counter('tcpDrop.Paws')).toBe(1)
    bench.receive({ data: 'x', timestamp: [1000, 0] })
    expect(bench.connection.readable).toBe(1)
  })

  it('section 5.3: timestamps wrap too', () => {
    const bench = established({ settings }, { timestamp: [0x7fff_fff0, 0] })
    bench.receive({ data: 'x', timestamp: [0x8000_0010 | 0, 0] })
    expect(bench.connection.readable).toBe(1)
  })

  it('a bare ACK that a newer one has overtaken is dropped without an answer', () => {
    const bench = stamped()
    bench.write('x')
    bench.receive({ ack: ISS + 2, timestamp: [1010, 0] })
    expect(bench.receive({ ack: ISS + 1, timestamp: [1005, 0] })).toEqual([])
    expect(bench.counter('tcpDrop.Paws')).toBe(1)
  })

  it('section 5.5: after 24 days of silence the last timestamp means nothing', () => {
    const bench = stamped()
    bench.until(25 * 86_400e3)
    bench.receive({ data: 'x', timestamp: [5, 0] })
    expect(bench.connection.readable).toBe(1)
    expect(bench.connection.timestampRecent).toBe(5)
  })

  it('section 4.3: what is echoed is the timestamp of the earliest segment that the ACK answers', () => {
    const bench = stamped()
    bench.put({ data: 'a', timestamp: [1001, 0] })
    bench.put({ data: 'b', timestamp: [1002, 0] })
    const [sent] = bench.until(100)
    expect(sent.segment.timestampEcho).toBe(1001)
  })

  it('section 4.3: a segment behind a gap does not change what is echoed', () => {
    const bench = stamped()
    bench.put({ seq: IRS + 1001, data: 'b', timestamp: [1010, 0] })
    expect(bench.drain()[0].segment.timestampEcho).toBe(1000)
    bench.put({ seq: IRS + 1, data: 1000, timestamp: [1011, 0] })
    expect(bench.drain()[0].segment.timestampEcho).toBe(1011)
  })

  it('an old duplicate with a new timestamp is echoed, so that its sender measures what it sent last', () => {
    const bench = stamped()
    bench.receive({ data: 'abc', timestamp: [1001, 0] })
    bench.until(100)
    bench.put({ seq: IRS + 1, data: 'abc', timestamp: [1500, 0] })
    expect(bench.drain()[0].segment.timestampEcho).toBe(1500)
  })
})
