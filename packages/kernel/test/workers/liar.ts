import { writeSync } from 'node:fs'
import { serialize } from 'node:v8'
import type { PartitionContext } from '../../src/index.ts'
import { CHANNEL_FD, STATUS_FD } from '../../src/process/protocol.ts'

/** A partition in a process that writes what it likes on what it inherited. */
export function partition({ host }: PartitionContext) {
  const framed = (value: unknown) => {
    const body = serialize(value)
    const header = Buffer.alloc(4)
    header.writeUInt32LE(body.length)
    return Buffer.concat([header, body])
  }
  const lies: Record<string, Buffer> = {
    garbage: Buffer.from([4, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef]),
    'a length beyond all messages': Buffer.from([0xff, 0xff, 0xff, 0xff, 0]),
    'a value that is no message': framed({ kind: 'peer-call', id: 1, partition: -1, method: 'add', args: [] }),
  }
  return {
    methods: {
      send(what: string) {
        writeSync(CHANNEL_FD, lies[what])
        return new Promise(() => {})
      },
      lie() {
        const page = host?.mapRegion(STATUS_FD, 1).buffer as SharedArrayBuffer
        new Float64Array(page).fill(Number.NaN)
        new Float64Array(page, 0, 20).fill(-1e300)
      },
    },
  }
}
