import { MonotonicClock, type ParakernelError } from '@parakernel/hal'
import { blockBackend } from '../src/index.ts'

/** Tries to open a file where the kernel answers as it was told to; prints what came of it. */
const context = { clock: new MonotonicClock() }
const available = blockBackend.probe(context)
let opened: object = {}
try {
  await blockBackend.open({ path: process.argv[2], size: 1 << 20 }, context)
} catch (error) {
  const { code, subject, remedy } = error as ParakernelError
  opened = { code, subject, remedy }
}
console.log(JSON.stringify({ available, opened }))
