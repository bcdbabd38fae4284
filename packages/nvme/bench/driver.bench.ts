/**
 * What the driver's own code costs a 4 KiB command, from submit to complete. "own code": the controller only writes completions, which is
 * included and shown by itself. "emulated": with the whole emulated controller, which decodes each command and copies its data.
 */
import { BLOCK_READ, BLOCK_WRITE } from '@parakernel/hal'
import { type BenchCase, benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { HotPath } from '../test/support/instant-controller.ts'

const ROUNDS = 5_000

function own(opcode: number, size: number): BenchCase {
  return async () => {
    const path = await HotPath.open({ size })
    path.fill(opcode)
    const rounds = Math.ceil((ROUNDS * 32) / size)
    for (let i = 0; i < 3000; i++) path.round()
    const best = bestNanoseconds(rounds, (count) => {
      for (let i = 0; i < count; i++) path.round()
    })
    await path.close()
    return best / size
  }
}

async function answering(): Promise<number> {
  const path = await HotPath.open()
  path.fill(BLOCK_READ)
  for (let i = 0; i < 3000; i++) path.round()
  let tail = (3000 * 32) & 255
  const best = bestNanoseconds(ROUNDS, (count) => {
    for (let i = 0; i < count; i++) {
      tail = (tail + 32) & 255
      path.registers.answer(tail)
    }
  })
  return best / 32
}

function emulated(opcode: number): BenchCase {
  return async () => {
    const path = await HotPath.open({ instant: false })
    path.fill(opcode)
    for (let i = 0; i < 1000; i++) path.round()
    const best = bestNanoseconds(ROUNDS / 10, (count) => {
      for (let i = 0; i < count; i++) path.round()
    })
    await path.close()
    return best / 32
  }
}

await benchCases(
  import.meta,
  { title: 'NVMe: own code, 4 KiB commands', unit: 'ns per command', better: 'less' },
  {
    'own code: read, bursts of 32': own(BLOCK_READ, 32),
    'own code: write, bursts of 32': own(BLOCK_WRITE, 32),
    'own code: read, one at a time': own(BLOCK_READ, 1),
    'of that, the answering of 32': answering,
    'emulated controller: read, bursts of 32': emulated(BLOCK_READ),
    'emulated controller: write, bursts of 32': emulated(BLOCK_WRITE),
  },
)
