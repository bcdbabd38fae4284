import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { BLOCK_READ } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { IoUringOptions } from '../src/index.ts'
import { BLOCK, Rig, requireIoUring } from './rig.ts'

const BLOCKS = 256
const KILLS = process.env.PARAKERNEL_LONG === '1' ? 100 : 4

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

/** Starts a writer, kills it after a while; returns every number that it said was written. */
async function writeAndKill(path: string, options: Partial<IoUringOptions>, first: number): Promise<number[]> {
  const child = spawn(
    process.execPath,
    [
      '--conditions=source',
      new URL('./child-writer.ts', import.meta.url).pathname,
      path,
      JSON.stringify(options),
      `${first}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const chunks: Buffer[] = []
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  child.stdout.on('data', (data: Buffer) => {
    // From the first answer on: in the middle of the load.
    if (chunks.push(data) === 1) setTimeout(() => child.kill('SIGKILL'), 20 + ((first * 7) % 150))
  })
  const [, signal] = await new Promise<[number, string]>((resolve) =>
    child.once('close', (...end) => resolve(end as [number, string])),
  )
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${errors}`)
  const bytes = Buffer.concat(chunks)
  return Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.readInt32LE(i * 4))
}

test.each([
  ['a file of a disk', 'disk', {}],
  ['a file of a disk, with a submission thread', 'disk', { submissionThread: true }],
  ['a file in memory', 'memory', {}],
] as const)(
  `%s: a writer is killed ${KILLS} times in the middle of a load, and no write that was acknowledged is lost or torn`,
  { timeout: 600_000 },
  async (_name, place, options) => {
    const path = join(rig.folder(place), 'image')
    const size = BLOCKS * BLOCK
    await (await rig.open({ path, size })).close()
    const promised = new Int32Array(BLOCKS)
    let first = 1
    let acknowledged = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const told = await writeAndKill(path, options, first)
      acknowledged += told.length
      for (const number of told) promised[number % BLOCKS] = Math.max(promised[number % BLOCKS], number)
      // Its lock ends with its last command, not with the process.
      const device = await rig.open({ path })
      const user = rig.attach(device)
      const frame = user.frame(0)
      for (let lba = 0; lba < BLOCKS; lba++) {
        user.run({ opcode: BLOCK_READ, lba, blocks: 1, segments: [[frame, 0, BLOCK]] })
        const words = new Int32Array(user.bytes(frame, 0, BLOCK).buffer)
        const found = words[0]
        expect(
          words.every((word) => word === found),
          `block ${lba} is torn`,
        ).toBe(true)
        expect(found, `block ${lba}`).toBeGreaterThanOrEqual(promised[lba])
        if (found !== 0) expect(found % BLOCKS).toBe(lba)
        // What was not acknowledged may be there all the same, and then stays.
        promised[lba] = found
        first = Math.max(first, found + 1)
      }
      await device.close()
    }
    expect(acknowledged).toBeGreaterThan(KILLS * 10)
  },
)
