import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeLinkMessages, encodeLinkRequest } from '../src/interface/link-message.ts'

/** An RTM_NEWLINK as Linux 6.18 sent it for one end of a veth pair, cut to the attributes that are read. */
function newLink(attributes: [type: number, value: number[]][]): Uint8Array {
  const body: number[] = [0, 0, 1, 0, 7, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0]
  for (const [type, value] of attributes) {
    const length = value.length + 4
    body.push(length & 0xff, length >> 8, type & 0xff, type >> 8, ...value)
    while (body.length % 4 !== 0) body.push(0)
  }
  const length = 16 + body.length
  return Uint8Array.of(length & 0xff, length >> 8, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ...body)
}

const text = (value: string) => [...new TextEncoder().encode(value), 0]

describe('link messages', () => {
  test('carry name, MTU, MAC, carrier, queues and program', () => {
    const message = newLink([
      [3, text('veth0')],
      [4, [0xdc, 5, 0, 0]],
      [31, [4, 0, 0, 0]],
      [32, [2, 0, 0, 0]],
      [33, [1]],
      [1, [2, 0, 0, 0, 0, 9]],
      [13, [0xe8, 3, 0, 0]],
      // Eight counters of eight bytes, the last of them what was dropped on transmission.
      [23, [...new Array<number>(56).fill(1), 5, 0, 0, 0, 0, 0, 0, 0]],
      // Nested, with the kernel's flag for it: attached 1 (native), program 77.
      [0x8000 | 43, [5, 0, 2, 0, 1, 0, 0, 0, 8, 0, 4, 0, 77, 0, 0, 0]],
    ])
    expect(decodeLinkMessages(message)).toEqual([
      {
        link: {
          index: 7,
          name: 'veth0',
          present: true,
          up: true,
          running: true,
          mtu: 1500,
          mac: Uint8Array.of(2, 0, 0, 0, 0, 9),
          rxQueues: 2,
          txQueues: 4,
          xdpProgramId: 77,
          xdpMode: 'native',
          transmitQueueLength: 1000,
          txDropped: 5,
        },
      },
    ])
  })

  test('tell what a TAP interface is', () => {
    const data = [5, 0, 3, 0, 2, 0, 0, 0, 5, 0, 4, 0, 0, 0, 0, 0, 5, 0, 5, 0, 1, 0, 0, 0, 5, 0, 7, 0, 1, 0, 0, 0]
    const queues = [8, 0, 8, 0, 4, 0, 0, 0]
    const info = [8, 0, 1, 0, ...text('tun'), 4 + data.length + queues.length, 0, 2, 0, ...data, ...queues]
    const [message] = decodeLinkMessages(newLink([[18, info]]))
    expect('link' in message && message.link.tun).toEqual({
      kind: 'tap',
      persistent: false,
      multiQueue: true,
      virtioHeader: true,
      bare: true,
      queues: 4,
    })
  })

  test('of a bridge about its ports say nothing of the interface', () => {
    const joined = newLink([[3, text('port')]])
    joined[16] = 7
    expect(decodeLinkMessages(joined)).toEqual([{ other: 16 }])
  })

  test('come several to a datagram, with removals and errors among them', () => {
    const removal = newLink([[3, text('gone')]])
    removal[4] = 17
    const error = Uint8Array.of(20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xed, 0xff, 0xff, 0xff)
    const messages = decodeLinkMessages(Uint8Array.of(...removal, ...error, ...newLink([])))
    expect(messages).toMatchObject([{ link: { present: false, name: 'gone' } }, { errno: 19 }, { link: { index: 7 } }])
  })

  test('of any bytes never throw, hang or read outside', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        decodeLinkMessages(bytes)
      }),
    )
    const whole = newLink([
      [3, text('veth0')],
      [4, [1, 2, 3, 4]],
      [43, [8, 0, 4, 0, 1, 0, 0, 0]],
      [18, [8, 0, 1, 0, ...text('tun'), 12, 0, 2, 0, 8, 0, 8, 0, 4, 0, 0, 0]],
    ])
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, value, length) => {
        const spoiled = whole.slice()
        spoiled[at] = value
        decodeLinkMessages(spoiled.subarray(0, length))
      }),
      { numRuns: 2000 },
    )
  })

  test('are asked for by name or by index', () => {
    const byName = encodeLinkRequest('veth0', 5)
    expect(new DataView(byName.buffer).getUint32(0, true)).toBe(byName.length)
    expect(Buffer.from(byName).toString('latin1')).toContain('veth0\0')
    const byIndex = encodeLinkRequest(9, 5)
    expect(new DataView(byIndex.buffer).getInt32(20, true)).toBe(9)
  })
})
