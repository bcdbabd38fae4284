import { describe, expect, test } from 'vitest'
import { parseScript } from '../src/language/parse-script.ts'
import { runScript } from '../src/run/run-script.ts'
import {
  ADDRESSES,
  addressBytes,
  type Operation,
  type Sent,
  type Subject,
  type SubjectSocket,
} from '../src/run/subject.ts'
import { pattern } from '../src/wire/bytes.ts'
import { decode } from '../src/wire/decode.ts'
import { ipPacket, udpDatagram } from '../src/wire/encode.ts'

const IP = {
  source: addressBytes(ADDRESSES[4].local),
  destination: addressBytes(ADDRESSES[4].remote),
  ttl: 64,
  ecn: 'notect' as const,
  df: false,
  fragment: undefined,
  identifier: 1,
}

/** A system that answers each UDP datagram after 100 ms with one of `reply` bytes, and whose sockets do nothing. */
class Echo implements Subject {
  readonly kind = 'ours'
  readonly tolerance = 1e6
  readonly drift = 0
  readonly sent: Sent[] = []
  readonly #later: Sent[] = []
  readonly #reply: Uint8Array
  readonly #defects: readonly string[]
  #now = 0

  constructor(reply: Uint8Array, defects: readonly string[] = []) {
    this.#reply = reply
    this.#defects = defects
  }

  now(): number {
    return this.#now
  }

  async advance(time: number, stop: () => boolean): Promise<void> {
    while (this.#later.length > 0 && this.#later[0].at <= time) {
      const next = this.#later.shift() as Sent
      this.#now = next.at
      this.sent.push(next)
      if (stop()) return
    }
    this.#now = Math.max(this.#now, time)
  }

  inject(packet: Uint8Array): void {
    const { transport } = decode(packet)
    if (transport.kind !== 'udp') return
    const datagram = udpDatagram(IP, transport.destinationPort, transport.sourcePort, this.#reply)
    this.#later.push({ bytes: ipPacket(IP, 17, datagram), at: this.#now + 100e6 })
  }

  socket(): SubjectSocket {
    const operation = (): Operation => ({ outcome: undefined, at: 0 })
    const nothing = () => {}
    return {
      bind: nothing,
      listen: nothing,
      shutdown: nothing,
      close: nothing,
      abort: nothing,
      set: nothing,
      get: () => '7',
      accept: operation,
      connect: operation,
      read: () => ({ outcome: { kind: 'bytes', bytes: pattern(2, 10) }, at: this.#now }),
      write: operation,
      send: operation,
      receive: operation,
      finish: operation,
    }
  }

  state(): string {
    return 'closed'
  }

  async close(): Promise<readonly string[]> {
    return this.#defects
  }
}

function run(text: string, reply = pattern(0, 10), defects: readonly string[] = []): Promise<readonly string[]> {
  return runScript(parseScript('x.pkt', `rule RFC 1: a test\n${text}`), 4, new Echo(reply, defects))
}

test('a script that holds gives its trace', async () => {
  expect(await run('< udp 5\n+100ms > udp 10')).toEqual(['0.000000 s  < udp 5', '0.100000 s  > udp 10 (8080 to 40001)'])
})

describe('a script fails', () => {
  test.each([
    ['at a packet that does not come', '< udp 5\n+50ms > udp 10', 'x.pkt:3: nothing was sent until 0.051'],
    ['at one that comes too early', '< udp 5\n+200ms > udp 10', 'it came at 0.100000 s, not before 0.200000 s'],
    ['at one of another length', '< udp 5\n+100ms > udp 11', 'the number of bytes is 10, not 11'],
    ['at one of another kind', '< udp 5\n+100ms > . 1', 'it is udp, not tcp'],
    [
      'at one that it does not have',
      '< udp 5\n+200ms silent',
      'a packet was sent that the script does not have: udp 10',
    ],
    [
      'at one that it does not have, at its end',
      '< udp 5\n+100ms > udp 10\n< udp 1\n< udp 1\n+100ms > udp 10',
      'a packet was sent that',
    ],
    ['at another time to live', '< udp 5\n+100ms > udp 10 ttl 3', 'the time to live is 64, not 3'],
    ['at a call that does not complete', 's = socket stream\naccept = accept s', 'it has not completed at once'],
    ['at a call that never completes', 's = socket stream\nc = accept s -> ok after 10ms', 'it has not completed'],
    [
      'at bytes that are not those that were sent',
      's = socket stream\nread s 10',
      'what was read is not what was sent, from byte 0',
    ],
    ['at another number of bytes', 's = socket stream\nread s 20', 'it came to 10 bytes, not to 20 bytes'],
    ['at an option of another value', 's = socket stream\nget s ttl 8', 'ttl is 7, not 8'],
    ['at a socket that it has not', 'read c 10', 'there is no socket c; there are none'],
    ['at another state', 'state established', 'the state is closed'],
    ['where something completes that was to wait', 's = socket stream\nread s 10 -> pending', 'it completed: 10 bytes'],
  ])('%s', async (_, text, expected) => {
    await expect(run(text)).rejects.toThrow(expected)
  })

  test('at data that is not the pattern', async () => {
    await expect(run('< udp 5\n+100ms > udp 10', pattern(1, 10))).rejects.toThrow('not what was written from byte 0')
  })

  test('at what is wrong at the end', async () => {
    await expect(run('silent', undefined, ['a frame leaked'])).rejects.toThrow('a frame leaked')
  })
})

test('an optional packet may come or not', async () => {
  await run('< udp 5\n+100ms >? udp 10')
  await run('+100ms >? udp 10\nsilent')
  await expect(run('< udp 5\n+100ms >? udp 11\n+1ms silent')).rejects.toThrow('that the script does not have')
})
