import { tmpdir } from 'node:os'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileSystemPromise, mountOptions, promiseOf } from '../src/control/file-system.ts'
import { requiresDisk, Testbed } from './testbed.ts'

let bed: Testbed
beforeEach((context) => {
  bed = new Testbed(context)
})
afterEach(() => bed.close())

test('tmpfs: pages, and the death of the process is all it survives; it says so', async () => {
  const device = await bed.open({ path: bed.memoryPath(), size: 65_536 })
  expect(device.capabilities).toEqual({ granularity: 4096, persistence: 'process-crash' })
  expect(bed.warnings).toEqual([expect.stringMatching(/tmpfs has no medium under it; .*MAP_SYNC is refused/)])
})

test('by force: cache lines, and the same promise', async (context) => {
  if (process.arch !== 'x64') context.skip('cache lines are written back on x64 alone')
  const device = await bed.open({ path: bed.memoryPath(), size: 65_536, force: true })
  expect(device.capabilities).toEqual({ granularity: 64, persistence: 'process-crash' })
  expect(device.guarantee).toMatch(/by force/)
  expect(bed.warnings).toEqual([expect.stringContaining(device.guarantee)])
})

test('a file on a disk: what its file system promises', async (context) => {
  requiresDisk(context)
  const device = await bed.open({ path: bed.diskPath(), size: 65_536 })
  const { persistence, reason } = fileSystemPromise(tmpdir())
  expect(device.capabilities).toEqual({ granularity: 4096, persistence })
  expect(device.guarantee).toContain(reason)
})

test('file systems and mount options by what they promise', () => {
  expect(promiseOf(0xef53, 'rw,relatime').persistence).toBe('media')
  expect(promiseOf(0x9123683e, 'rw,ssd').persistence).toBe('media')
  expect(promiseOf(0xef53, 'rw,nobarrier')).toMatchObject({
    persistence: 'host-crash',
    reason: expect.stringContaining('nobarrier'),
  })
  expect(promiseOf(0xef53, 'rw,barrier=0,noatime').persistence).toBe('host-crash')
  expect(promiseOf(0xef53, 'rw', false).persistence).toBe('process-crash')
  expect(promiseOf(0x01021994, 'rw').persistence).toBe('process-crash')
  // FUSE: it depends on a server that cannot be asked.
  expect(promiseOf(0x65735546, 'rw').persistence).toBe('process-crash')
})

test('options are those of the innermost mount', () => {
  const info = [
    '22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro',
    '30 22 0:26 / /mnt rw - tmpfs tmpfs rw,size=1k',
    '31 30 0:27 / /mnt/a\\040b rw,noatime - xfs /dev/pmem0 rw,dax=always',
    '32 30 0:28 / /mnt/a\\040b rw - ext4 /dev/pmem1 rw,nobarrier',
    '',
  ].join('\n')
  expect(mountOptions('/mnt/a b/file', info)).toBe('rw,rw,nobarrier')
  expect(mountOptions('/mnt/a bc', info)).toBe('rw,rw,size=1k')
  expect(mountOptions('/mnt', info)).toBe('rw,rw,size=1k')
  expect(mountOptions('/mntx', info)).toBe('rw,relatime,rw,errors=remount-ro')
})
