import { BLOCK_FLUSH, BLOCK_WRITE, MonotonicClock } from '@parakernel/hal'
import { openNvme, openVfioTransport } from '@parakernel/nvme'
import { BlockSession } from '../support/block-session.ts'
import { pattern } from '../support/pattern.ts'

/** Writes block after block through the driver, and says after each flush how many are there. Ends only by a signal. */
const device = await openNvme(
  openVfioTransport(process.argv[2] ?? ''),
  { namespace: 2 },
  { clock: new MonotonicClock() },
)
const session = await BlockSession.open(device, 2)
const size = device.capabilities.blockSize
for (let lba = 0; ; lba += 8) {
  const writes = Array.from({ length: 8 }, (_, i) => ({
    opcode: BLOCK_WRITE,
    lba: lba + i,
    blocks: 1,
    data: pattern(size, lba + i),
  }))
  const statuses = [...session.runAll(writes), session.run({ opcode: BLOCK_FLUSH })]
  if (statuses.some((status) => status !== 0)) throw new Error(`a write failed: ${statuses.join()}`)
  process.stdout.write(`${lba + 8}\n`)
}
