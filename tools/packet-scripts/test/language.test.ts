import { describe, expect, test } from 'vitest'
import { parseScript } from '../src/language/parse-script.ts'
import type { Event } from '../src/language/script.ts'

const RULE = 'rule RFC 1 section 1: a test\n'

function eventsOf(text: string): readonly Event[] {
  return parseScript('x.pkt', RULE + text).events
}

function complaint(text: string): string {
  try {
    parseScript('x.pkt', RULE + text)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error(`nothing is wrong with ${text}`)
}

describe('times', () => {
  test.each([
    ['+200ms < . 1', { kind: 'relative', from: 200e6, to: 200e6 }],
    ['+1.5s < . 1', { kind: 'relative', from: 1.5e9, to: 1.5e9 }],
    ['@20us < . 1', { kind: 'absolute', from: 20_000, to: 20_000 }],
    ['< . 1', { kind: 'relative', from: 0, to: 0 }],
    ['+0..50ms > . 1', { kind: 'relative', from: 0, to: 50e6 }],
    ['+* > . 1', { kind: 'any' }],
  ])('%s', (text, time) => {
    expect(eventsOf(text)[0].time).toEqual(time)
  })
})

describe('packets', () => {
  test('a TCP segment', () => {
    expect(
      eventsOf('<2 P. 1:1001 ack 5 win 257 urg 3 ce ttl 9 <mss 1460, TS val 7 ecr last, sack 1:2 3:4>'),
    ).toMatchObject([
      {
        action: {
          kind: 'inject',
          packet: {
            kind: 'tcp',
            flow: 2,
            flags: 'P.',
            start: 1,
            length: 1000,
            ack: 5,
            window: { min: 257, max: 257 },
            urgent: 3,
            ip: { ecn: 'ce', ttl: 9 },
            options: [
              { kind: 'mss', value: 1460 },
              { kind: 'TS', value: { min: 7, max: 7 }, echo: 'last' },
              {
                kind: 'sack',
                blocks: [
                  { min: 1, max: 2 },
                  { min: 3, max: 4 },
                ],
              },
            ],
          },
        },
      },
    ])
  })

  test('flags are put in order', () => {
    expect(eventsOf('> WES. 0')).toMatchObject([{ action: { packet: { flags: 'SEW.' } } }])
  })

  test('wildcards of an expected segment', () => {
    expect(eventsOf('>? * * ack * win 1.. <mss *, ...>')).toMatchObject([
      {
        action: {
          kind: 'expect',
          optional: true,
          packet: {
            flags: undefined,
            start: undefined,
            ack: undefined,
            window: { min: 1, max: 0xffff_ffff },
            options: [{ kind: 'mss', value: undefined }],
            moreOptions: true,
          },
        },
      },
    ])
  })

  test('UDP, ICMP and other protocols', () => {
    const packets = eventsOf('< udp 100 fragment 0:64\n< icmp too-big mtu 1300 quote -5\n< ip protocol 200 40')
    expect(packets.map(({ action }) => 'packet' in action && action.packet)).toMatchObject([
      { kind: 'udp', length: 100, ip: { fragment: { min: 0, max: 64 } } },
      { kind: 'icmp', message: 'too-big', mtu: 1300, quote: -5 },
      { kind: 'ip', protocol: 200, length: 40 },
    ])
  })
})

describe('calls', () => {
  test.each([
    [
      'c = accept server -> ok after 10ms..20ms',
      { result: 'c', outcome: { kind: 'done' }, after: { min: 10e6, max: 20e6 } },
    ],
    ['read c 100', { arguments: ['c', '100'], outcome: { kind: 'bytes', bytes: 100 } }],
    ['read c 100 -> 50', { outcome: { kind: 'bytes', bytes: 50 } }],
    ['read c 100 -> eof', { outcome: { kind: 'eof' } }],
    ['write c 10 -> EPIPE', { outcome: { kind: 'error', code: 'EPIPE' } }],
    ['read c 10 -> pending', { outcome: { kind: 'pending' } }],
    ['connect c 2 -> ok after *', { arguments: ['c', '2'], after: { min: 0, max: Number.POSITIVE_INFINITY } }],
  ])('%s', (text, call) => {
    expect(eventsOf(text)).toMatchObject([{ action: { kind: 'call', call } }])
  })
})

describe('complaints name the place, what was found, and what is allowed', () => {
  test.each([
    ['bogus', "x.pkt:2:1: found 'bogus'; allowed here: <, >, >?, silent, state, a call"],
    ['< X 1', "x.pkt:2:3: found 'X'; allowed here: TCP flags"],
    ['< . 10:1', "x.pkt:2:5: found '10:1'; allowed here: sequence numbers as in 1 or 1:1001"],
    ['< . 1 ack', 'x.pkt:2:10: found the end of the line; allowed here: a sequence number'],
    ['< . 1 <mss 70000>', "x.pkt:2:12: found '70000'; allowed here: a segment size, a whole number from 0 to 65535"],
    ['< . 1 <msss 1>', "x.pkt:2:8: found 'msss'; allowed here: mss, sackOK"],
    ['< . 1 <mss 1', "found the end of the line; allowed here: '>'"],
    ['< . 1 win *\n< . *', 'an injected packet is complete'],
    ['+5 < . 1', "x.pkt:2:1: found '+5'; allowed here: + or @ with a duration"],
    ['+1ms..2ms < . 1', 'only an expected packet may come at a time between two'],
    ['accept server', 'accept gives a socket: write NAME = accept'],
    ['x = close c', 'close gives no socket'],
    ['read c', 'found the end of the line; allowed here: read socket limit'],
    ['read c many', "'many' is not a number of bytes"],
    ['read c 1 -> maybe', "found 'maybe'; allowed here: ok, a number of bytes, eof, pending, or an error code"],
    ['state bliss', "found 'bliss'; allowed here: closed, listen"],
    ['silent now', "found 'now'; allowed here: the end of the line"],
    ['silent\nmtu 1500', 'settings stand before the first event'],
    ['ours silent', 'lines are of one subject alone: say why'],
    ['difference RFC 1\nsilent', 'it has a difference, but no lines of one subject alone'],
    ['include nowhere.inc', 'nowhere.inc cannot be read'],
    ['icmp', "found 'icmp'"],
    ['< icmp nonsense', "found 'nonsense'; allowed here: net-unreachable"],
    ['<? . 1', 'an injected packet is never optional'],
  ])('%s', (text, expected) => {
    expect(complaint(text)).toContain(expected)
  })

  test('a script without a rule, or without events', () => {
    expect(() => parseScript('x.pkt', 'silent')).toThrow('it has no rule')
    expect(() => parseScript('x.pkt', RULE)).toThrow('it has no events')
  })
})
