import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ParakernelError } from '@parakernel/hal'
import { probeIoUring } from '@parakernel/linux'
import { describe, expect, it } from 'vitest'
import { ParakernelLevel } from '../src/index.ts'

const MiB = 1 << 20

describe('a database on a backend by name', () => {
  it('keeps what it has in memory from one opening to the next', async () => {
    const db = new ParakernelLevel({ size: MiB })
    await db.put('a', 'one')
    await db.close()
    await db.open()
    expect(await db.get('a')).toBe('one')
    expect(db.getSync('a')).toBe('one')
    await db.close()
  })

  it('keeps it in a file through io_uring, and reads without its cache', async (context) => {
    const found = probeIoUring()
    if (!found.available) context.skip(found.missing)
    const folder = mkdtempSync(join(tmpdir(), 'pk-level-'))
    try {
      const options = { backend: 'io-uring', path: join(folder, 'db'), size: 4 * MiB, cacheBytes: 0 } as const
      const db = new ParakernelLevel(options)
      await db.batch(Array.from({ length: 500 }, (_, i) => ({ type: 'put', key: `key ${i}`, value: `value ${i}` })))
      await db.clear({ gte: 'key 2', lt: 'key 3' })
      await db.close()
      const again = new ParakernelLevel(options)
      expect(await again.get('key 100')).toBe('value 100')
      expect(again.getSync('key 499')).toBe('value 499')
      expect(await again.getMany(['key 1', 'key 25', 'key 7'])).toEqual(['value 1', undefined, 'value 7'])
      expect((await again.keys().all()).length).toBe(500 - 111)
      await again.compact()
      expect(await again.get('key 100')).toBe('value 100')
      expect((await again.scrub()).lost).toEqual([])
      await again.close()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('says when it is full, with nothing harmed', async () => {
    const db = new ParakernelLevel<string, Uint8Array>({ size: MiB, valueEncoding: 'view' })
    let stored = 0
    await expect(
      (async () => {
        for (;;) {
          await db.put(`key ${stored}`, new Uint8Array(10_000))
          stored++
        }
      })(),
    ).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(stored).toBeGreaterThan(30)
    expect(db.usage().keys).toBe(stored)
    await db.del('key 0')
    await db.put('another', new Uint8Array(9000))
    await db.close()
  })

  it('refuses two places, and a package that is not there', async () => {
    expect(() => new ParakernelLevel({ backend: 'emulated', open: () => Promise.reject(new Error('never')) })).toThrow(
      ParakernelError,
    )
    const db = new ParakernelLevel({ backend: 'no-such-backend' as never })
    await expect(db.open()).rejects.toMatchObject({ cause: { code: 'ENODEV' } })
  })
})
