import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { ConnectionTable } from '../../src/tcp/connection-table.ts'
import { InitialSequence } from '../../src/tcp/isn.ts'
import { EphemeralPorts } from '../../src/tcp/ports.ts'
import { RssConstraint } from '../../src/tcp/rss-constraint.ts'
import { instant } from '../../src/tcp/segment.ts'
import { ipv4Words } from './support.ts'

const LOCAL = ipv4Words(66, 9, 149, 187)
const REMOTE = ipv4Words(161, 142, 100, 80)
const RANGE = { first: 50_000, last: 50_099 }
const ALONE = { partition: 0, partitions: 1 }
const FREE = new Int32Array(65_536)

describe('ephemeral ports', () => {
  it('are each used once for a peer, in an order that is not the next one up, until none is left', () => {
    const table = new ConnectionTable(seededRandom(1))
    const ports = new EphemeralPorts(RANGE, ALONE, seededRandom(2))
    const chosen: number[] = []
    for (let i = 0; i < 100; i++) {
      const port = ports.choose(LOCAL, REMOTE, 80, table, FREE)
      table.insert(LOCAL, REMOTE, (80 << 16) | port, i)
      chosen.push(port)
    }
    expect(new Set(chosen).size).toBe(100)
    expect(Math.min(...chosen)).toBe(50_000)
    expect(Math.max(...chosen)).toBe(50_099)
    expect(ports.choose(LOCAL, REMOTE, 80, table, FREE)).toBe(-1)
    // Another peer may use them all again.
    expect(ports.choose(LOCAL, REMOTE, 81, table, FREE)).toBeGreaterThan(0)
    table.remove(LOCAL, REMOTE, (80 << 16) | 50_042)
    expect(ports.choose(LOCAL, REMOTE, 80, table, FREE)).toBe(50_042)
  })

  it('start elsewhere for another peer and for another key', () => {
    const table = new ConnectionTable(seededRandom(1))
    const starts = Array.from({ length: 20 }, (_, i) =>
      new EphemeralPorts({ first: 32_768, last: 60_999 }, ALONE, seededRandom(i)).choose(
        LOCAL,
        REMOTE,
        80,
        table,
        FREE,
      ),
    )
    expect(new Set(starts).size).toBeGreaterThan(18)
  })

  it("leave bound ports and other partitions' shares alone", () => {
    const table = new ConnectionTable(seededRandom(1))
    const taken = new Int32Array(65_536)
    taken[50_003] = 1
    const ports = new EphemeralPorts(RANGE, { partition: 3, partitions: 4 }, seededRandom(2))
    const chosen: number[] = []
    for (let port = ports.choose(LOCAL, REMOTE, 80, table, taken); port > 0; ) {
      table.insert(LOCAL, REMOTE, (80 << 16) | port, 1)
      chosen.push(port)
      port = ports.choose(LOCAL, REMOTE, 80, table, taken)
    }
    expect(chosen).toHaveLength(24)
    expect(chosen.every((port) => port % 4 === 3 && port !== 50_003)).toBe(true)
  })
})

const KEY = Uint8Array.from(
  Buffer.from('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa', 'hex'),
)

describe('ports by RSS', () => {
  const constraint = new RssConstraint(
    KEY,
    Int32Array.from({ length: 128 }, (_, i) => i % 4),
    2,
  )

  it('use the hash of the published verification suite', () => {
    expect(constraint.hash(LOCAL, REMOTE, 2794, 1766) >>> 0).toBe(0x51ccc178)
    const source = Int32Array.of(0x3ffe2501, 0x02001fff, 0, 7)
    const destination = Int32Array.of(0x3ffe2501, 0x02000003, 0, 1)
    expect(constraint.hash(source, destination, 2794, 1766) >>> 0).toBe(0x40207d3d)
  })

  it('are those whose answers come to the queue', () => {
    const table = new ConnectionTable(seededRandom(1))
    const ports = new EphemeralPorts(RANGE, { partition: 1, partitions: 4 }, seededRandom(2), constraint)
    let found = 0
    for (let port = ports.choose(LOCAL, REMOTE, 80, table, FREE); port > 0; found++) {
      expect(constraint.hash(REMOTE, LOCAL, 80, port) & 3).toBe(2)
      table.insert(LOCAL, REMOTE, (80 << 16) | port, 1)
      port = ports.choose(LOCAL, REMOTE, 80, table, FREE)
    }
    const expected = Array.from({ length: 100 }, (_, i) => 50_000 + i).filter((port) =>
      constraint.allows(LOCAL, REMOTE, port, 80),
    )
    expect(found).toBe(expected.length)
    expect(found).toBeGreaterThan(5)
  })
})

describe('initial sequence numbers (RFC 6528)', () => {
  it('go up by one every four microseconds for one pair, and are unrelated for others', () => {
    const isn = new InitialSequence(seededRandom(5))
    const ports = (80 << 16) | 50_000
    const at = (nanoseconds: number, ...pair: [Int32Array, Int32Array, number]) =>
      isn.next(...pair, instant(nanoseconds))
    const first = at(0, LOCAL, REMOTE, ports)
    expect((at(4e9, LOCAL, REMOTE, ports) - first) | 0).toBe(1_000_000)
    // Past the wrap of the clock, 4.77 hours later.
    expect((at(20_000e9, LOCAL, REMOTE, ports) - first) | 0).toBe(((20_000e9 / 4000) % 2 ** 32) | 0)
    const others = Array.from({ length: 50 }, (_, i) => at(0, LOCAL, REMOTE, (80 << 16) | (50_001 + i)))
    expect(new Set(others.map((other) => (other - first) >>> 24)).size).toBeGreaterThan(25)
    expect(new InitialSequence(seededRandom(6)).next(LOCAL, REMOTE, ports, instant())).not.toBe(first)
  })

  it('have timestamps that do not depend on the ports', () => {
    const isn = new InitialSequence(seededRandom(5))
    expect(isn.timestampOffset(LOCAL, REMOTE)).toBe(isn.timestampOffset(LOCAL, REMOTE))
    expect(isn.timestampOffset(LOCAL, REMOTE)).not.toBe(isn.timestampOffset(REMOTE, LOCAL))
  })
})
