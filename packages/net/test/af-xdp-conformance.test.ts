import { networkLibosConformance } from '@parakernel/libos-conformance'
import { createVethPair } from '@parakernel/linux'
import { afXdpMissing, pause, Stations } from './support/veth.ts'

let made = 0

for (const { name, queues, mode } of [
  { name: 'net on af-xdp at both ends of a veth, native, 2 queues', queues: 2, mode: 'native' },
  { name: 'net on af-xdp at both ends of a veth, skb', queues: 1, mode: 'skb' },
] as const) {
  networkLibosConformance({
    name,
    skip: afXdpMissing(),
    async setup() {
      const pair = createVethPair({ label: `n${(made++ % 1296).toString(36)}`, queues })
      const stations = new Stations()
      // Without the probes for addresses in use, which take a second each.
      const settings = (host: number) =>
        ({ address: `10.78.0.${host}/24`, addresses: [`fd78::${host}/64`], addressCheck: 'none', ndProbes: 0 }) as const
      const taken = ({ address, addresses }: ReturnType<typeof settings>) => [address, ...addresses]
      const [ours, theirs] = [settings(1), settings(2)]
      const a = await stations.add({ interface: pair.interface, mode, addresses: taken(ours) }, ours)
      const b = await stations.add({ interface: pair.peer, mode, addresses: taken(theirs) }, theirs, pair.inside)
      stations.loop.start('guest')
      return {
        a,
        b,
        addressOfA: '10.78.0.1',
        addressOfB: '10.78.0.2',
        ipv6AddressOfA: 'fd78::1',
        ipv6AddressOfB: 'fd78::2',
        settle: () => pause(30),
        async close() {
          await stations.close()
          pair.remove()
        },
      }
    },
  })
}
