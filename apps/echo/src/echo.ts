import { startNetwork } from '@parakernel/config'
import type { PartitionContext } from '@parakernel/kernel'
import { type DatagramBurst, type QueueDescriptor, STREAM_DATA, STREAM_ECHO, STREAM_ENDED } from '@parakernel/queue'

export async function partition(context: PartitionContext<{ port: number }>) {
  const network = await startNetwork(context)
  const here = { address: '0.0.0.0', port: context.data.port }
  const socket = network.socket('datagram')
  network.bind(socket, here)
  network.serveDatagrams(socket, sendBack)

  const listener = network.socket('stream')
  network.bind(listener, here)
  network.listen(listener)
  network.serveStreams(listener, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
      else if (burst.event[i] === STREAM_ENDED) network.halfClose(burst.qd[i] as QueueDescriptor)
    }
  })
  return { methods: { addresses: () => network.addresses } }
}

/** The reply is the datagram itself, in the frame that it came in. */
function sendBack(burst: DatagramBurst): void {
  for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
}
