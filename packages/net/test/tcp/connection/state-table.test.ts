import { describe, expect, it } from 'vitest'
import * as counters from '../../../src/tcp/counters.ts'
import { TCP_COUNTERS, tcpCounters } from '../../../src/tcp/counters.ts'
import { after, atOrAfter, atOrBefore, before, distance, latest } from '../../../src/tcp/sequence.ts'
import { DEFAULT_TCP_SETTINGS, tcpSettings } from '../../../src/tcp/settings.ts'
import { stateTable } from '../../../src/tcp/state.ts'

describe('RFC 9293 figure 5: the state machine', () => {
  it('is this table', () => {
    console.log(stateTable())
    expect(`\n${stateTable()}\n`).toMatchInlineSnapshot(`
      "
                    active open  passive open  SYN           SYN+ACK      ACK of SYN   close       FIN         ACK of FIN  RST     abort   2 MSL
      closed        syn-sent     listen        .             .            .            .           .           .           .       .       .
      listen        syn-sent     .             syn-received  .            .            closed      .           .           .       closed  .
      syn-sent      .            .             syn-received  established  .            closed      .           .           closed  closed  .
      syn-received  .            .             .             .            established  fin-wait-1  close-wait  .           closed  closed  .
      established   .            .             .             .            .            fin-wait-1  close-wait  .           closed  closed  .
      fin-wait-1    .            .             .             .            .            .           closing     fin-wait-2  closed  closed  .
      fin-wait-2    .            .             .             .            .            .           time-wait   .           closed  closed  .
      close-wait    .            .             .             .            .            last-ack    .           .           closed  closed  .
      closing       .            .             .             .            .            .           .           time-wait   closed  closed  .
      last-ack      .            .             .             .            .            .           .           closed      closed  closed  .
      time-wait     .            .             .             .            .            .           .           .           closed  closed  closed
      "
    `)
  })
})

describe('RFC 9293 section 3.4: sequence numbers', () => {
  const top = 0x7fff_ffff
  const bottom = -0x8000_0000

  it('compare across the wrap', () => {
    expect(before(top, bottom)).toBe(true)
    expect(after(4, -1)).toBe(true)
    expect(distance(3, -2)).toBe(5)
    expect(distance(bottom, top)).toBe(1)
    expect([atOrBefore(7, 7), atOrAfter(7, 7), before(7, 7), after(7, 7)]).toEqual([true, true, false, false])
    expect(latest(top, bottom + 9)).toBe(bottom + 9)
  })
})

describe('settings', () => {
  it('are checked, and name what is wrong', () => {
    expect(tcpSettings()).toEqual(DEFAULT_TCP_SETTINGS)
    expect(() => tcpSettings({ delayedAck: 1e9 })).toThrow(/delayedAck/)
    expect(() => tcpSettings({ minimumRto: 100e9 })).toThrow(/minimumRto/)
    expect(() => tcpSettings({ initialWindow: 0 })).toThrow(/initialWindow/)
    expect(() => tcpSettings({ maximumSegment: 10 })).toThrow(/maximumSegment/)
    expect(() => tcpSettings({ receiveBufferMaximum: 2 ** 31 })).toThrow(/receiveBufferMaximum/)
    expect(() => tcpSettings({ sendBufferInitial: 10 })).toThrow(/sendBufferInitial/)
    expect(() => tcpSettings({ timeWait: -1 })).toThrow(/timeWait/)
    expect(() => tcpSettings({ nonsense: 1 } as never)).toThrow(/nonsense/)
    expect(() => tcpSettings({ sack: 'yes' } as never)).toThrow(/sack/)
  })
})

describe('counters', () => {
  it('have an index each, in the order of their names', () => {
    const indices = Object.entries(counters).filter(([, value]) => typeof value === 'number')
    expect(indices.map(([, value]) => value).sort((a, b) => Number(a) - Number(b))).toEqual(
      TCP_COUNTERS.map((_, i) => i),
    )
    for (const [name, index] of indices) {
      const words = TCP_COUNTERS[index as number].split('.')[1].replace(/^tcp/, '')
      const plain = name
        .replace(/^(TCP|EXT|DROP_TCP)_/, '')
        .replaceAll('_', '')
        .toLowerCase()
      expect(words.replace('HeaderPredicted', 'Predicted').toLowerCase()).toBe(plain)
    }
    expect(new Set(TCP_COUNTERS).size).toBe(TCP_COUNTERS.length)
    expect(tcpCounters().get('tcp.tcpInSegs')).toBe(0)
  })
})
