import { startNetwork } from '@parakernel/config'
import type { PartitionContext, PartitionExports } from '@parakernel/kernel'
import { type NetLibOS, type RecordType, Resolver } from '@parakernel/net'

/** A host that gets its address by DHCP, and asks the DNS servers that came with it. */
export async function partition(context: PartitionContext): Promise<PartitionExports> {
  const network = (await startNetwork(context)) as NetLibOS
  let resolver: Resolver | undefined
  const ask = () => {
    const [lease] = network.control.leases()
    resolver ??= new Resolver(network, { servers: lease.dnsServers, search: lease.search })
    return resolver
  }
  return {
    methods: {
      leases: () => network.control.leases(),
      routes: () => network.control.routes(),
      lookup: (host: string) => ask().lookup(host),
      resolve: (name: string, type: RecordType) => ask().resolve(name, type),
      reverse: (address: string) => ask().reverse(address),
      statistics: () => ask().statistics,
      failure: (name: string) =>
        ask()
          .resolve(name, 'A')
          .catch((error) => error.code),
    },
  }
}
