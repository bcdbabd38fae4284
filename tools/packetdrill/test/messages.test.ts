import { describe, expect, it } from 'vitest'
import { encodeAnswer, RequestReader } from '../src/messages.ts'
import { formatReport } from '../src/report.ts'
import type { ScriptResult } from '../src/run.ts'
import { decodeAddress, encodeAddress } from '../src/socket-address.ts'

/** A request as the shim writes it. */
function request(operation: number, ...parts: (number | Uint8Array)[]): Buffer {
  const word = (value: number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  }
  const body = Buffer.concat([
    word(operation),
    ...parts.flatMap((part) => (typeof part === 'number' ? [word(part)] : [word(part.length), Buffer.from(part)])),
  ])
  return Buffer.concat([word(body.length), body])
}

describe('messages of the shim', () => {
  it('are cut out of a stream, however it is divided', () => {
    const stream = Buffer.concat([
      request(6, 1000, 2000, 0),
      request(7, 1001, 64, new Uint8Array(0), Uint8Array.of(1, 2, 3)),
    ])
    for (const size of [1, 7, stream.length]) {
      const reader = new RequestReader()
      const found = []
      for (let at = 0; at < stream.length; at += size) found.push(...reader.read(stream.subarray(at, at + size)))
      expect(found.map(({ operation }) => operation)).toEqual(['read', 'write'])
      expect([found[0].number(), found[0].number(), found[0].number()]).toEqual([1000, 2000, 0])
      expect([found[1].number(), found[1].number()]).toEqual([1001, 64])
      expect([...found[1].bytes()]).toEqual([])
      expect([...found[1].bytes()]).toEqual([1, 2, 3])
    }
  })

  it('are answered with a result, an errno and data', () => {
    const bytes = encodeAnswer({ result: -1, errno: 11, data: Uint8Array.of(9) })
    expect([bytes.readBigInt64LE(0), bytes.readBigInt64LE(8), bytes.readBigInt64LE(16), bytes[24]]).toEqual([
      17n,
      -1n,
      11n,
      9,
    ])
  })
})

describe('socket addresses', () => {
  it('go both ways, and IPv4 in IPv6 as what it is', () => {
    for (const [address, family] of [
      ['192.0.2.1', 2],
      ['2001:db8::1', 10],
      ['::ffff:192.0.2.1', 10],
    ] as const) {
      expect(decodeAddress(encodeAddress({ address, port: 8080 }, family))).toEqual({ address, port: 8080 })
    }
    expect(decodeAddress(new Uint8Array(16))).toBeUndefined()
  })
})

describe('the report', () => {
  it('counts by folder, and names what failed and why', () => {
    const result = (name: string, outcome: ScriptResult['outcome'], output = ''): ScriptResult => ({
      run: { name, path: `/x/${name}`, variant: 'ipv4', excluded: undefined },
      outcome,
      output,
    })
    const text = formatReport(
      [
        result('close/a.pkt', 'passed'),
        result('close/b.pkt', 'failed', 'b.pkt:7: wrong\nmore'),
        result('tfo/c.pkt', 'excluded', 'Fast Open'),
      ],
      'abc',
    )
    expect(text).toContain('| close | 2 | 1 | 1 | 0 |')
    expect(text).toContain('| **all** | 3 | 1 | 1 | 1 |')
    expect(text).toContain('- Fast Open: 1 runs')
    expect(text).toContain('- close/b.pkt (ipv4): b.pkt:7: wrong')
  })
})
