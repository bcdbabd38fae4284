import { startNetwork } from '@parakernel/config'
import type { PartitionContext, PartitionExports } from '@parakernel/kernel'

/** A UDP echo on port 7, beside what the libOS answers by itself (ARP, ICMP). */
export async function partition(context: PartitionContext): Promise<PartitionExports> {
  const network = await startNetwork(context)
  const socket = network.socket('datagram')
  network.bind(socket, { address: '0.0.0.0', port: 7 })
  network.serveDatagrams(socket, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  return {}
}
