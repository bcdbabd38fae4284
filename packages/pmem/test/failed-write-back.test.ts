import { execFileSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Testbed } from './testbed.ts'

const MiB = 1 << 20

let bed: Testbed
const undo: (() => void)[] = []
beforeEach((context) => {
  bed = new Testbed(context)
})
afterEach(async () => {
  await bed.close().catch(() => {})
  for (const step of undo.splice(0).reverse()) step()
  await bed.close()
})

const run = (command: string, ...words: string[]) => execFileSync(command, words, { encoding: 'utf8' }).trim()

/** A folder on an ext4 whose disk is a loop device over a sparse image, on a tmpfs that holds less than the image promises. */
function folderOnOverbookedDisk(): string {
  const folder = dirname(bed.memoryPath())
  const [memory, disk] = [join(folder, 'memory'), join(folder, 'disk')]
  mkdirSync(memory)
  mkdirSync(disk)
  run('mount', '-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', memory)
  undo.push(() => run('umount', memory))
  const image = join(memory, 'image')
  writeFileSync(image, '')
  truncateSync(image, 64 * MiB)
  run('mkfs.ext4', '-q', '-F', '-O', '^has_journal', '-E', 'nodiscard', image)
  const loop = run('losetup', '--find', '--show', image)
  undo.push(() => run('losetup', '--detach', loop))
  run('mount', loop, disk)
  undo.push(() => run('umount', disk))
  return disk
}

test('a write-back that failed stays failed: no later drain, of no holder, tells of a success', async (context) => {
  if (process.getuid?.() !== 0) context.skip('needs root, to mount a disk that fails')
  let folder: string
  try {
    folder = folderOnOverbookedDisk()
  } catch (error) {
    return context.skip(`no loop device can be mounted here: ${(error as Error).message}`)
  }
  const device = await bed.open({ path: join(folder, 'region'), size: 32 * MiB })
  // In memory after all, whatever ext4 promises.
  expect(device.capabilities).toEqual({ granularity: 4096, persistence: 'process-crash' })
  const first = bed.attach(device, 0, 24 * MiB)
  const second = bed.attach(device, 24 * MiB, 8 * MiB)
  new Uint8Array(second.region.buffer).fill(1, 24 * MiB, 24 * MiB + 8)
  second.persist([0, 8])

  const failed = expect.objectContaining({ code: 'EIO', remedy: expect.any(String) })
  new Uint8Array(first.region.buffer).fill(7, 0, 24 * MiB)
  first.flush([0, 24 * MiB])
  expect(() => first.drain()).toThrow(failed)
  expect(() => first.drain()).toThrow(failed)
  expect(() => first.persist([0, 8])).toThrow(failed)
  // One that asks for the first time would be told of a success by the kernel.
  second.flush([8, 8])
  expect(() => second.drain()).toThrow(failed)
})
