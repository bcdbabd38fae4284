import { BLOCK_FLUSH, BLOCK_READ, BLOCK_WRITE, BlockBurst, BlockCompletions } from '@parakernel/hal'
import type { PartitionContext } from '../../src/index.ts'

/** Writes blocks of its one block queue, makes them durable, and reads them. */
export function partition({ blocks: [queue], pool }: PartitionContext) {
  const burst = new BlockBurst(1, 1)
  const completions = new BlockCompletions(1)
  const { blockSize } = queue.capabilities

  /** Status of one command, or `refused`. */
  function run(opcode: number, lba: number, frame: number): number | string {
    burst.clear()
    burst.push(opcode, queue.grant.range.namespace, lba, opcode === BLOCK_FLUSH ? 0 : 1, 0)
    if (opcode !== BLOCK_FLUSH) burst.addSegment(frame, 0, blockSize)
    if (queue.submit(burst) === 0 || burst.refused > 0) return 'refused'
    while (queue.complete(completions) === 0);
    return completions.status[0]
  }

  return {
    methods: {
      store(lba: number, value: number) {
        const frame = pool.allocate()
        pool.bytes.fill(value, pool.address(frame), pool.address(frame) + blockSize)
        const written = run(BLOCK_WRITE, lba, frame)
        const flushed = written === 0 ? run(BLOCK_FLUSH, 0, frame) : written
        pool.bytes.fill(0, pool.address(frame), pool.address(frame) + blockSize)
        const read = flushed === 0 ? run(BLOCK_READ, lba, frame) : flushed
        const found = pool.bytes[pool.address(frame) + blockSize - 1]
        pool.release(frame)
        return read === 0 ? found : read
      },
    },
  }
}
