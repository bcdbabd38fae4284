import { startNetwork } from '@parakernel/config'
import type { PartitionContext } from '@parakernel/kernel'
import type { DatagramBurst } from '@parakernel/queue'

export async function partition(context: PartitionContext<{ port: number }>) {
  const network = await startNetwork(context)
  const socket = network.socket('datagram')
  network.bind(socket, { address: '0.0.0.0', port: context.data.port })
  network.serveDatagrams(socket, sendBack)
  return { methods: { addresses: () => network.addresses } }
}

/** The reply is the datagram itself, in the frame that it came in. */
function sendBack(burst: DatagramBurst): void {
  for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
}
