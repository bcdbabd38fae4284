import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { ABSENT, ConnectionTable } from '../../src/tcp/connection-table.ts'
import { ipv4Words } from './support.ts'

const LOCAL = ipv4Words(10, 0, 0, 1)

describe('a connection table', () => {
  it('agrees with a map through any insertions and removals, in both families', () => {
    const step = fc.record({
      remove: fc.boolean(),
      six: fc.boolean(),
      host: fc.integer({ min: 0, max: 6 }),
      port: fc.integer({ min: 1, max: 8 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.nat(), (steps, seed) => {
        const table = new ConnectionTable(seededRandom(seed))
        const model = new Map<string, number>()
        let value = 0
        for (const { remove, six, host, port } of steps) {
          const local = six ? Int32Array.of(0x20010db8, 0, 0, 1) : LOCAL
          const remote = six ? Int32Array.of(0x20010db8, 0, 0, host) : ipv4Words(10, 0, 0, host)
          const ports = (port << 16) | 80
          const key = `${six} ${host} ${port}`
          expect(table.find(local, remote, ports)).toBe(model.get(key) ?? ABSENT)
          if (!six) expect(table.find4(local[3], remote[3], ports)).toBe(model.get(key) ?? ABSENT)
          if (remove) expect(table.remove(local, remote, ports)).toBe(model.delete(key))
          else if (model.has(key)) {
            expect(table.replace(local, remote, ports, ++value)).toBe(true)
            model.set(key, value)
          } else {
            table.insert(local, remote, ports, ++value)
            model.set(key, value)
          }
          if (!six) expect(table.find4(local[3], remote[3], ports)).toBe(model.get(key) ?? ABSENT)
          expect(table.count).toBe(model.size)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('does not take an IPv6 peer whose last word is an IPv4 address for that one', () => {
    const table = new ConnectionTable(seededRandom(1))
    const six = Int32Array.of(0x20010db8, 0, 0xffff, LOCAL[3])
    table.insert(six, six, (9 << 16) | 9, 5)
    expect(table.find(six, six, (9 << 16) | 9)).toBe(5)
    expect(table.find4(LOCAL[3], LOCAL[3], (9 << 16) | 9)).toBe(ABSENT)
  })

  it('keeps its probes short through a million connections that come and go', () => {
    const table = new ConnectionTable(seededRandom(3))
    const remote = ipv4Words(10, 0, 0, 2)
    const alive = 1000
    for (let i = 0; i < 1_000_000; i++) {
      remote[3] = (10 << 24) | ((i >>> 16) & 0xff)
      table.insert(LOCAL, remote, ((i & 0xffff) << 16) | 80, i)
      if (i < alive) continue
      const old = i - alive
      remote[3] = (10 << 24) | ((old >>> 16) & 0xff)
      table.remove(LOCAL, remote, ((old & 0xffff) << 16) | 80)
    }
    expect(table.count).toBe(alive)
    expect(table.longestProbe).toBeLessThan(32)
  })

  it('cannot be flooded with ports that collide under another key', () => {
    const remote = ipv4Words(10, 0, 0, 2)
    const weak = new ConnectionTable(seededRandom(4))
    for (let port = 1; port <= 20_000; port++) weak.insert(LOCAL, remote, (port << 16) | 80, port)
    expect(weak.longestProbe).toBeLessThan(64)
    for (let port = 1; port <= 20_000; port++) expect(weak.find4(LOCAL[3], remote[3], (port << 16) | 80)).toBe(port)
  })
})
