import { type NetworkLibOS, type SocketAddress, sgaFromBytes } from '@parakernel/queue'
import { RECORD_TYPES, type RecordType } from '../../../src/dns/message.ts'
import { decodeName, encodeName } from '../../../src/dns/name.ts'

/** A record as the zone writes it: owner, type, TTL in seconds, data. */
export type ZoneRecord = readonly [owner: string, type: RecordType, ttl: number, data: readonly number[]]

export interface Behaviour {
  /** Response code for everything. */
  code?: number
  /** Says nothing. */
  silent?: boolean
  /** Cuts answers short over UDP. */
  truncate?: boolean
  /** Refuses queries with an EDNS record. */
  noEdns?: boolean
  /** Answers that come before the right one. */
  forge?: (right: Uint8Array) => readonly Uint8Array[]
}

export const name = (text: string) => [...encodeName(text)]
const word = (value: number) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]

/** A name server over a libOS's datagram socket, written apart from the client's code: it serves what it is given. */
export class ZoneServer {
  readonly asked: string[] = []
  readonly behaviour: Behaviour = {}
  readonly #records: readonly ZoneRecord[]

  constructor(records: readonly ZoneRecord[]) {
    this.#records = records
  }

  /** Serves UDP at `at` until its socket is closed. */
  serve(libos: NetworkLibOS, at: SocketAddress): void {
    const qd = libos.socket('datagram')
    libos.bind(qd, at)
    const next = async () => {
      for (;;) {
        const query = await libos.runtime.completion(libos.pop(qd))
        if (query.kind !== 'pop') return
        const bytes = query.sga.toBytes()
        query.sga.free()
        for (const answer of this.answersTo(bytes, 'udp')) {
          const sga = sgaFromBytes(libos.pool, answer)
          libos.pushTo(qd, sga, query.source as SocketAddress)
          sga.free()
        }
      }
    }
    void next()
  }

  answersTo(query: Uint8Array, over: 'udp' | 'tcp'): Uint8Array[] {
    const { code, silent, truncate, noEdns, forge } = this.behaviour
    const asked = decodeName(query, 12)
    if (asked === undefined) return []
    const type = (query[asked.end] << 8) | query[asked.end + 1]
    const typeName = Object.entries(RECORD_TYPES).find(([, number]) => number === type)?.[0]
    this.asked.push(`${over} ${typeName} ${asked.name}`)
    if (silent) return []
    const question = query.slice(12, asked.end + 4)
    if (noEdns && query[11] !== 0) return [message(query, question, 1, false, [], [])]
    if (code !== undefined) return [message(query, question, code, false, [], [])]
    if (truncate && over === 'udp') return [message(query, question, 0, true, [], [])]
    const exists = this.#records.some(([owner]) => owner === asked.name)
    const answers: ZoneRecord[] = []
    let owner = asked.name
    for (let i = 0; i < 12; i++) {
      const matching = this.#records.filter((record) => record[0] === owner && RECORD_TYPES[record[1]] === type)
      const alias = this.#records.find((record) => record[0] === owner && record[1] === 'CNAME')
      answers.push(...matching)
      if (matching.length > 0 || alias === undefined) break
      answers.push(alias)
      owner = decodeName(Uint8Array.from(alias[3]), 0)?.name ?? ''
    }
    const soa: ZoneRecord = [
      'test',
      'SOA',
      900,
      [...name('ns.test'), ...name('root.test'), ...word(1), ...word(1), ...word(1), ...word(1), ...word(60)],
    ]
    const right = message(query, question, exists ? 0 : 3, false, answers, answers.length === 0 ? [soa] : [])
    return [...(forge?.(right) ?? []), right]
  }
}

function message(
  query: Uint8Array,
  question: Uint8Array,
  code: number,
  truncated: boolean,
  answers: readonly ZoneRecord[],
  authority: readonly ZoneRecord[],
): Uint8Array {
  const record = ([owner, type, ttl, data]: ZoneRecord) => [
    ...name(owner),
    ...[0, RECORD_TYPES[type], 0, 1],
    ...word(ttl),
    ...[data.length >>> 8, data.length & 255],
    ...data,
  ]
  return Uint8Array.from([
    ...query.slice(0, 2),
    ...[0x81 | (truncated ? 2 : 0), 0x80 | code],
    ...[0, 1, 0, answers.length, 0, authority.length, 0, 0],
    ...question,
    ...answers.flatMap(record),
    ...authority.flatMap(record),
  ])
}
