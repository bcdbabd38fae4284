import { describe, expect, it } from 'vitest'
import { type Bench, IRS, ISS, NOTHING_REMAINS } from './support/bench.ts'
import {
  closeWait,
  closing,
  established,
  finWait1,
  finWait2,
  lastAck,
  synReceived,
  synSent,
  timeWait,
} from './support/states.ts'

/** Timers of every kind are on, so that one that is forgotten shows. */
const options = {
  settings: {
    keepAlive: true,
    userTimeout: 7e9,
    sack: true,
    timestamps: true,
    tailLossProbe: true,
    mtuProbing: 'always' as const,
  },
}
const peer = { timestamp: [1, 0] as const, sackPermitted: true }

const connected = () => established(options, peer)
const stamp = { timestamp: [2, 0] as const }

/**
 * A connection in each state that holds frames wherever that state can: unsent, unacknowledged, unread, and beyond a
 * gap.
 */
const states: Record<string, () => Bench> = {
  'syn-sent': () => {
    const bench = synSent(options)
    bench.write('waits')
    return bench
  },
  'syn-received': () => {
    const bench = synReceived(options, { ...peer, data: 'early' })
    bench.write('waits')
    return bench
  },
  established: () => full(connected()),
  'established, window closed': () => {
    const bench = established(options, { ...peer, win: 0 })
    bench.write(3000)
    return full(bench)
  },
  'fin-wait-1': () => {
    const bench = full(connected())
    bench.shutdownWrite()
    return bench
  },
  'fin-wait-2': () => {
    const bench = finWait2Of(connected())
    bench.receive({ data: 'unread', ...stamp })
    bench.receive({ seq: bench.connection.receiveNext + 10, data: 'beyond', ...stamp })
    return bench
  },
  'close-wait': () => {
    const bench = connected()
    bench.write(3000)
    bench.receive({ flags: 'FP.', ack: ISS + 1, data: 'unread', ...stamp })
    return bench
  },
  closing: () => {
    const bench = connected()
    bench.write(2000)
    bench.shutdownWrite()
    bench.receive({ flags: 'FP.', ack: ISS + 1, data: 'unread', ...stamp })
    return bench
  },
  'last-ack': () => {
    const bench = connected()
    bench.write(2000)
    bench.receive({ flags: 'FP.', ack: ISS + 1, data: 'unread', ...stamp })
    bench.shutdownWrite()
    return bench
  },
  'time-wait': () => {
    const bench = finWait2Of(connected())
    bench.receive({ flags: 'FP.', data: 'unread', ...stamp })
    return bench
  },
}

function full(bench: Bench): Bench {
  bench.write(3000)
  bench.receive({ ack: ISS + 1, data: 'unread', ...stamp })
  bench.receive({ ack: ISS + 1, seq: bench.connection.receiveNext + 10, data: 'beyond', ...stamp })
  return bench
}

function finWait2Of(bench: Bench): Bench {
  bench.shutdownWrite()
  bench.receive({ ack: ISS + 2, ...stamp })
  return bench
}

describe('a closed connection leaves no frame and no timer', () => {
  for (const [name, make] of Object.entries(states)) {
    const state = name.split(',')[0]

    it(`${name}: abort`, () => {
      const bench = make()
      expect(bench.state).toBe(state)
      bench.abort()
      if (state === 'time-wait') bench.close()
      expect(bench.remains()).toEqual(NOTHING_REMAINS)
    })

    it(`${name}: close, and nothing is heard from the peer any more`, () => {
      const bench = make()
      bench.close()
      bench.until(4e6)
      expect(bench.state).toBe('closed')
      expect(bench.remains()).toEqual(NOTHING_REMAINS)
    })

    it(`${name}: nothing is heard any more, then close`, () => {
      const bench = make()
      bench.until(9e6)
      bench.close()
      bench.until(18e6)
      expect(bench.state).toBe('closed')
      expect(bench.remains()).toEqual(NOTHING_REMAINS)
    })

    it(`${name}: the peer resets`, () => {
      const bench = make()
      if (state === 'syn-sent') bench.receive({ flags: 'R.', seq: 0, ack: ISS + 1 })
      else bench.receive({ flags: 'R' })
      if (state === 'time-wait') {
        expect(bench.state).toBe('time-wait')
        return
      }
      expect(bench.state).toBe('closed')
      // An orderly end leaves what came before it to the application, until it closes.
      bench.close()
      expect(bench.remains()).toEqual(NOTHING_REMAINS)
    })
  }

  it('the states above are all that there are', () => {
    const made = new Set(Object.values(states).map((make) => make().state))
    expect([...made].sort()).toEqual([
      'close-wait',
      'closing',
      'established',
      'fin-wait-1',
      'fin-wait-2',
      'last-ack',
      'syn-received',
      'syn-sent',
      'time-wait',
    ])
  })

  it('the peer answers everything after close: orderly in every state', () => {
    for (const make of [established, finWait1, finWait2, closing, closeWait, lastAck, timeWait]) {
      const bench = make()
      bench.close()
      for (let i = 0; i < 4; i++) bench.receive({ flags: i === 0 ? '.' : 'F.', seq: IRS + 1 })
      bench.until(200_000)
      expect(bench.state).toBe('closed')
      expect(bench.remains()).toEqual(NOTHING_REMAINS)
    }
  })
})
