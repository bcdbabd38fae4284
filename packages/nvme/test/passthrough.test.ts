import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MonotonicClock } from '@parakernel/hal'
import { afterAll, describe, expect, test } from 'vitest'
import { blockBackend } from '../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'nvme-passthrough-'))
afterAll(() => rmSync(folder, { recursive: true }))
const open = (device?: string) =>
  blockBackend.open(
    { transport: 'passthrough', ...(device === undefined ? {} : { device }) },
    { clock: new MonotonicClock() },
  )

// What it does on a device is shown in the lab's machine.
describe('passthrough refuses', () => {
  test('an option that is missing', async () => {
    await expect(open()).rejects.toMatchObject({ code: 'EINVAL', subject: 'nvme, option device' })
  })

  test('a device that is not there, and says which are', async () => {
    const remedy = expect.stringMatching(/no \/dev\/ng devices|There are \/dev\/ng/)
    await expect(open('/dev/ng99n99')).rejects.toMatchObject({ code: 'ENOENT', subject: '/dev/ng99n99', remedy })
  })

  test('a file, a folder', async () => {
    const file = join(folder, 'file')
    writeFileSync(file, 'no device')
    await expect(open(file)).rejects.toMatchObject({ code: 'EINVAL', subject: file })
    await expect(open(folder)).rejects.toMatchObject({ code: 'EINVAL', subject: folder })
  })

  test('a character device of another kind', async () => {
    await expect(open('/dev/null')).rejects.toMatchObject({ code: 'ENODEV', subject: '/dev/null' })
  })

  test('a depth that is no power of two, and numbers out of range', async () => {
    const context = { clock: new MonotonicClock() }
    for (const options of [{ depth: 48 }, { queues: 65 }]) {
      const opened = blockBackend.open({ transport: 'passthrough', device: '/dev/null', ...options }, context)
      await expect(opened).rejects.toMatchObject({ code: 'EINVAL' })
    }
  })
})
