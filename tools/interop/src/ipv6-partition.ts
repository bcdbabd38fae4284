import { startNetwork } from '@parakernel/config'
import type { PartitionContext, PartitionExports } from '@parakernel/kernel'
import type { NetLibOS } from '@parakernel/net'

/** A UDP echo on port 7 for both families, on one socket, and what a test asks a host of IPv6. */
export async function partition(context: PartitionContext): Promise<PartitionExports> {
  const network = (await startNetwork(context)) as NetLibOS
  const socket = network.socket('datagram', 'ipv6')
  network.bind(socket, { address: '::', port: 7 })
  network.serveDatagrams(socket, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  return {
    methods: {
      addresses: () => network.control.addresses(),
      routes: () => network.control.routes().filter(({ family }) => family === 'ipv6'),
      neighbors: () => network.control.neighbors(),
      resolvers: () => network.control.resolvers(),
      statistics: () => network.statistics(),
      ping: (address: string, bytes = 56, ttl = 64) => network.ping(address, { bytes, ttl, timeout: 3e9 }),
      join: (group: string) => network.joinGroup(socket, group),
      leave: (group: string) => network.leaveGroup(socket, group),
      addAddress: (address: string) => network.control.addAddress('net0', address),
    },
  }
}
