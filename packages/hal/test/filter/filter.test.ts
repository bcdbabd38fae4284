import { describe, expect, test } from 'vitest'
import {
  checkFilter,
  compileFilter,
  expr,
  type FilterExpression,
  formatFilter,
  interpretFilter,
  PacketLayout,
} from '../../src/index.ts'

/** Ethernet, IPv4, UDP from 10.0.0.1:1000 to 10.0.0.2:53, payload 0xdeadbeef, padded to 60 bytes. */
const datagram = Uint8Array.from([
  ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
  ...[0x45, 0xb8, 0, 32, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
  ...[3, 0xe8, 0, 53, 0, 12, 0, 0, 0xde, 0xad, 0xbe, 0xef],
  ...new Array(14).fill(0),
])

function verdict(expression: FilterExpression, bytes = datagram): boolean {
  const layout = new PacketLayout()
  layout.ofFrame(bytes, 0, bytes.length)
  const compiled = compileFilter(expression).match(bytes, layout)
  expect(interpretFilter(expression, bytes, layout)).toBe(compiled)
  return compiled
}

describe('values', () => {
  test.each([
    ['ethernet.type', 0x0800],
    ['ip.version', 4],
    ['ip.protocol', 17],
    ['ipv4.source', 0x0a00_0001],
    ['ipv4.destination', 0x0a00_0002],
    ['ipv4.ttl', 64],
    ['ipv4.dscp', 46],
    ['udp.sourcePort', 1000],
    ['udp.destinationPort', 53],
    ['port.destination', 53],
  ] as const)('%s', (name, value) => {
    expect(verdict(expr.eq(expr.field(name), value))).toBe(true)
    expect(verdict(expr.ne(expr.field(name), value))).toBe(false)
  })

  test('loads count from a header, in network order', () => {
    expect(verdict(expr.eq(expr.load('payload', 0, 4), 0xdead_beef))).toBe(true)
    expect(verdict(expr.eq(expr.load('payload', 1, 2), 0xadbe))).toBe(true)
    expect(verdict(expr.eq(expr.load('network', 9, 1), 17))).toBe(true)
    expect(verdict(expr.eq(expr.load('frame', 12, 2), 0x0800))).toBe(true)
  })

  test('padding belongs to the frame alone', () => {
    expect(verdict(expr.eq(expr.length('frame'), 60))).toBe(true)
    expect(verdict(expr.eq(expr.length('network'), 32))).toBe(true)
    expect(verdict(expr.eq(expr.length('payload'), 4))).toBe(true)
    expect(verdict(expr.present(expr.load('payload', 4, 1)))).toBe(false)
    expect(verdict(expr.present(expr.load('frame', 59, 1)))).toBe(true)
    expect(verdict(expr.present(expr.load('frame', 60, 1)))).toBe(false)
  })

  test('arithmetic', () => {
    const source = expr.field('ipv4.source')
    expect(verdict(expr.eq(expr.and(source, 0xffff_ff00), 0x0a00_0000))).toBe(true)
    expect(verdict(expr.eq(expr.shiftRight(source, 24), 10))).toBe(true)
    expect(verdict(expr.eq(expr.modulo(source, 2), 1))).toBe(true)
  })

  test('a hash spreads keys', () => {
    const counts = [0, 0, 0, 0]
    const bytes = new Uint8Array(8)
    const layout = new PacketLayout()
    const matches = counts.map((_, i) => compileFilter(expr.eq(expr.modulo(expr.hash('payload', 0, 8), 4), i)).match)
    for (let key = 0; key < 4000; key++) {
      new DataView(bytes.buffer).setUint32(2, key)
      layout.ofPayload(0, 8)
      matches.forEach((match, i) => {
        if (match(bytes, layout)) counts[i]++
      })
    }
    expect(counts.reduce((a, b) => a + b)).toBe(4000)
    for (const count of counts) expect(count).toBeGreaterThan(850)
  })
})

describe('what is absent', () => {
  const tcpPort = expr.field('tcp.destinationPort')

  test('makes a comparison false, and its negation true', () => {
    expect(verdict(expr.eq(tcpPort, 53))).toBe(false)
    expect(verdict(expr.ne(tcpPort, 53))).toBe(false)
    expect(verdict(expr.not(expr.eq(tcpPort, 53)))).toBe(true)
    expect(verdict(expr.present(tcpPort))).toBe(false)
    expect(verdict(expr.within(expr.modulo(tcpPort, 2), [0, 1]))).toBe(false)
  })

  test('an element has a payload and nothing else', () => {
    const layout = new PacketLayout()
    layout.ofPayload(42, 4)
    const payload = compileFilter(expr.eq(expr.load('payload', 0, 4), 0xdead_beef))
    expect(payload.match(datagram, layout)).toBe(true)
    const port = compileFilter(expr.present(expr.field('udp.destinationPort')))
    expect(port.match(datagram, layout)).toBe(false)
  })

  test('a frame cut anywhere is judged without reading beyond its end', () => {
    const all = expr.all(expr.present(expr.load('payload', 0, 4)), expr.eq(expr.field('udp.destinationPort'), 53))
    for (let length = 0; length <= datagram.length; length++) {
      expect(verdict(all, datagram.slice(0, length))).toBe(length >= 46)
    }
  })
})

test('lists', () => {
  const isDns = expr.eq(expr.field('udp.destinationPort'), 53)
  expect([verdict(expr.all()), verdict(expr.any())]).toEqual([true, false])
  expect(verdict(expr.all(isDns, expr.not(expr.never)))).toBe(true)
  expect(verdict(expr.any(expr.never, isDns))).toBe(true)
  expect(verdict(expr.within(expr.field('udp.destinationPort'), [1, 2, 53]))).toBe(true)
  const many = Array.from({ length: 1000 }, (_, i) => i)
  expect(verdict(expr.within(expr.field('udp.destinationPort'), many))).toBe(true)
  expect(verdict(expr.within(expr.field('udp.sourcePort'), many))).toBe(false)
})

test('as text', () => {
  const { field } = expr
  const text = formatFilter(
    expr.all(
      expr.eq(field('udp.destinationPort'), 53),
      expr.not(expr.any(expr.within(expr.and(expr.load('payload', 2, 2), 15), [1, 2]), expr.present(field('vlan.id')))),
    ),
  )
  expect(text).toBe('udp.destinationPort == 53 and (not ((payload[2:2] & 15) in {1, 2} or has vlan.id))')
})

describe('what somebody else made is checked', () => {
  let deep: FilterExpression = expr.always
  for (let i = 0; i < 70; i++) deep = expr.not(deep)
  const wide = expr.any(...Array.from({ length: 5000 }, () => expr.always))
  const value = (part: object) => ({ kind: 'present', value: part })
  test.each([
    [null, /filter: found null, allowed: an expression/],
    [{ kind: 'some' }, /filter\.kind: found some/],
    [{ kind: 'all', of: [{ kind: 'constant', value: 3 }] }, /filter\.all\[0\]\.value: found 3/],
    [{ kind: 'all', of: 'x' }, /filter\.of/],
    [{ kind: 'compare', operation: 'eqq', left: {}, right: {} }, /filter\.operation: found eqq/],
    [expr.eq(expr.field('udp.port' as never), 3), /filter\.left\.name: found udp\.port/],
    [expr.eq(expr.field('__proto__' as never), 3), /filter\.left\.name/],
    [expr.eq(expr.length('payload'), -1), /filter\.right\.value: found -1, allowed: an integer from 0 to 4294967295/],
    [expr.eq(expr.length('payload'), 1.5), /1\.5/],
    [value(expr.load('mars' as never, 0, 1)), /filter\.value\.base/],
    [value(expr.load('payload', 5000, 1)), /filter\.value\.offset/],
    [value(expr.load('payload', 0, 3 as never)), /filter\.value\.width/],
    [value(expr.hash('payload', 0, 65)), /filter\.value\.length/],
    [value(expr.modulo(expr.length('frame'), 0)), /filter\.value\.by/],
    [value(expr.shiftRight(expr.length('frame'), 32)), /filter\.value\.by/],
    [{ kind: 'in', value: expr.length('frame'), set: new Array(1025).fill(0) }, /filter\.set/],
    [{ kind: 'in', value: expr.length('frame'), set: ['1; process.exit()'] }, /filter\.set\[0\]/],
    [deep, /at most 64 levels/],
    [wide, /at most 4096 parts/],
  ])('%#', (made, message) => {
    expect(() => checkFilter(made as FilterExpression)).toThrow(message)
    expect(() => compileFilter(made as FilterExpression)).toThrow(message)
  })
})
