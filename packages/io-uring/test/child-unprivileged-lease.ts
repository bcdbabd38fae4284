import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MonotonicClock, type ParakernelError } from '@parakernel/hal'
import { createProcessLease } from '../src/index.ts'

/** Asks for a range without the right to make a loop device; prints the answer. */
const folder = mkdtempSync(join(tmpdir(), 'pk-iouring-'))
const path = join(folder, 'image')
writeFileSync(path, Buffer.alloc(1 << 20))
try {
  createProcessLease({ path, range: { offset: 0, bytes: 65_536 } }, { clock: new MonotonicClock() })
  console.log('it was made')
} catch (error) {
  const { code, remedy } = error as ParakernelError
  console.log(`${code} ${remedy}`)
}
rmSync(folder, { recursive: true })
