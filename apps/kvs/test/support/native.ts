import { keyhash } from '@parakernel/mica'

/*
 * The native protocol written a second time, from the README's tables and with plain Buffer calls, so that a mistake in the
 * codec is not repeated in its test.
 */

export interface Op {
  readonly opcode: number
  readonly key: string
  readonly value?: string
  readonly opaque?: number
  readonly ttl?: number
  readonly operand?: bigint
  readonly flags?: number
}

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)])

export function operation(op: Op): Buffer {
  const key = Buffer.from(op.key)
  const value = Buffer.from(op.value ?? '')
  const extended = op.operand !== undefined || op.flags !== undefined
  const header = Buffer.alloc(extended ? 40 : 24)
  const lanes = new Int32Array(2)
  keyhash(key, 0, key.length, lanes)
  header.writeUInt8(op.opcode, 0)
  header.writeUInt8(key.length, 1)
  header.writeUInt8(extended ? 1 : 0, 2)
  header.writeUInt32LE(value.length, 4)
  header.writeInt32LE(lanes[0], 8)
  header.writeInt32LE(lanes[1], 12)
  header.writeUInt32LE(op.opaque ?? 0, 16)
  header.writeUInt32LE(op.ttl ?? 0, 20)
  if (extended) {
    header.writeBigUInt64LE(op.operand ?? 0n, 24)
    header.writeUInt32LE(op.flags ?? 0, 32)
  }
  return Buffer.concat([header, padded(key), padded(value)])
}

export function request(
  operations: readonly Op[],
  packet: { readonly opaque?: number; readonly cookie?: bigint; readonly version?: number } = {},
): Uint8Array {
  const header = Buffer.alloc(24)
  header.write('PK', 0, 'latin1')
  header.writeUInt8(packet.version ?? 1, 2)
  header.writeUInt8(packet.cookie === undefined ? 0 : 2, 3)
  header.writeUInt16LE(operations.length, 4)
  header.writeUInt32LE(packet.opaque ?? 0, 8)
  header.writeBigUInt64LE(packet.cookie ?? 0n, 16)
  return Buffer.concat([header, ...operations.map(operation)])
}

interface Answer {
  readonly status: number
  readonly opaque: number
  readonly partitions: number
  readonly partition: number
  readonly cookie: bigint
  readonly operations: {
    readonly opcode: number
    readonly result: number
    readonly version: bigint
    readonly opaque: number
    readonly flags: number
    readonly value: Buffer
  }[]
}

/** Throws for anything that is not a whole response. */
export function responses(datagrams: readonly Uint8Array[]): Answer[] {
  return datagrams.map((datagram) => {
    const b = Buffer.from(datagram)
    if (b.toString('latin1', 0, 2) !== 'PK' || b[2] !== 1 || (b[3] & 1) === 0) throw new Error('not a response')
    const operations: Answer['operations'] = []
    let at = 24
    for (let i = 0; i < b.readUInt16LE(4); i++) {
      const length = b.readUInt32LE(at + 4)
      operations.push({
        opcode: b[at],
        result: b[at + 1],
        version: b.readBigUInt64LE(at + 8),
        opaque: b.readUInt32LE(at + 16),
        flags: b.readUInt32LE(at + 20),
        value: b.subarray(at + 24, at + 24 + length),
      })
      at += 24 + Math.ceil(length / 8) * 8
    }
    if (at !== b.length) throw new Error(`${b.length - at} bytes behind the last operation`)
    return {
      status: b[6],
      opaque: b.readUInt32LE(8),
      partitions: b.readUInt16LE(12),
      partition: b.readUInt16LE(14),
      cookie: (b[3] & 2) === 0 ? 0n : b.readBigUInt64LE(16),
      operations,
    }
  })
}
