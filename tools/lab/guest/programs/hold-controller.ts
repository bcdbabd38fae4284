import { openVfioTransport } from '@parakernel/nvme'
import { RawController } from '../support/raw-controller.ts'

/** Keeps a controller busy with reads until it is killed. */
const transport = openVfioTransport(process.argv[2] ?? '')
const controller = new RawController(transport)
controller.createQueuePair(0)
const page = transport.memory.allocate(4096)
for (let lba = 0; ; lba = (lba + 1) % 1000) {
  // One command is under way at every moment.
  controller.start(2, 2, lba, 1, page.busAddress)
  if (lba === 5) process.stdout.write('busy\n')
  controller.complete()
}
