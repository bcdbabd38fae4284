import { RecordBatch } from '../../../src/index.ts'

/** Has the number of the last write. */
export const LAST = Buffer.from('last')
export const KEYS = 400

export function keyFor(number: number): Uint8Array {
  return Buffer.from(`key ${number % KEYS}`)
}

/** The value that write `number` gives its key: anybody can tell whether it is whole. */
export function valueFor(number: number): Uint8Array {
  const bytes = new Uint8Array(16 + ((number * 7919) % 2500))
  for (let i = 0; i < bytes.length; i++) bytes[i] = (number * 31 + i * 7) & 255
  return bytes
}

/** Whether write `number` deletes its key. */
export function deletes(number: number): boolean {
  return number % 11 === 0
}

export function batchFor(number: number): RecordBatch {
  const batch = new RecordBatch(4096)
  if (deletes(number)) batch.delete(keyFor(number))
  else batch.put(keyFor(number), valueFor(number))
  return batch.put(LAST, Buffer.from(String(number)))
}
