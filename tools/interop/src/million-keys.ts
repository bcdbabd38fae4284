/**
 * A plain Linux client, run in the peer's namespace: writes `keys` keys, each with a value of its own, reads every one back,
 * and prints what it found as one line of JSON.
 *
 *     node million-keys.ts ADDRESS PORT KEYS
 */
import { DgramTransport, KvsClient } from '@parakernel/app-kvs/client'

const [address = '', port, count] = process.argv.slice(2)
const keys = Number(count)
const client = new KvsClient(new DgramTransport({ address, port: Number(port) }))
await client.connect()

/** Key `i`'s value: nothing else has it, and it says whose it is. */
const valueFor = (i: number) => `value of key ${i}, ${(Math.imul(i, 0x9e3779b1) >>> 0).toString(16)}`

/** Keeps 512 operations on their way. */
async function forEachKey(operation: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < keys) await operation(next++)
  }
  await Promise.all(Array.from({ length: 512 }, lane))
}

const decoder = new TextDecoder()
const found = { partitions: client.partitions, right: 0, missing: 0, wrong: 0 }
await forEachKey((i) => client.set(`key ${i}`, valueFor(i)))
await forEachKey(async (i) => {
  const item = await client.get(`key ${i}`)
  if (item === undefined) found.missing++
  else if (decoder.decode(item.value) === valueFor(i)) found.right++
  else found.wrong++
})
console.log(JSON.stringify(found))
client.close()
