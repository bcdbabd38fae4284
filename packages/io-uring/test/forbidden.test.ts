import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ioUringRefused } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Rig, requireIoUring } from './rig.ts'

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

test.each(['ENOSYS', 'EPERM'])(
  'a kernel that answers %s: a typed error with its remedy, and nothing is created',
  (code) => {
    const path = join(rig.folder(), 'image')
    const child = spawnSync(
      'strace',
      [
        '-f',
        '-o',
        '/dev/null',
        '-e',
        'trace=io_uring_setup',
        '-e',
        `inject=io_uring_setup:error=${code}`,
        process.execPath,
        '--conditions=source',
        new URL('./child-forbidden.ts', import.meta.url).pathname,
        path,
      ],
      { encoding: 'utf8' },
    )
    if (child.error !== undefined || child.stderr.includes('ptrace')) {
      // Without strace only the translation is tested.
      const error = ioUringRefused(code === 'ENOSYS' ? 38 : 1, path)
      expect(error).toMatchObject({ code, remedy: expect.stringContaining("'host' libOS") })
      return
    }
    const { available, opened } = JSON.parse(child.stdout) as {
      available: { available: boolean; remedy: string }
      opened: { code: string; subject: string; remedy: string }
    }
    expect(available).toMatchObject({ available: false, remedy: expect.stringContaining("'host' libOS") })
    expect(opened).toMatchObject({ code, subject: path, remedy: expect.stringContaining("'host' libOS") })
    expect(existsSync(path)).toBe(false)
  },
)
