import { networkLibosConformance } from '@parakernel/libos-conformance'
import { TapStations, tapMissing } from './support/tap.ts'

let made = 0

networkLibosConformance({
  name: 'net on two TAPs of a bridge, with partial checksums and super-frames, 2 queues each',
  skip: tapMissing(),
  async setup() {
    const stations = new TapStations(`m${(made++ % 1296).toString(36)}`)
    // Without the probes for addresses in use, which take a second each.
    const add = (tap: string, ipv4: string, ipv6: string) =>
      stations.add(
        { interface: tap, queues: 2 },
        { address: `${ipv4}/24`, addresses: [`${ipv6}/64`], addressCheck: 'none', ndProbes: 0 },
      )
    const a = await add('tapa', '10.78.0.1', 'fd78::1')
    const b = await add('tapb', '10.78.0.2', 'fd78::2')
    stations.bridge('tapa', 'tapb')
    stations.loop.start('guest')
    return {
      a,
      b,
      addressOfA: '10.78.0.1',
      addressOfB: '10.78.0.2',
      ipv6AddressOfA: 'fd78::1',
      ipv6AddressOfB: 'fd78::2',
      settle: () => stations.settle(),
      close: () => stations.close(),
    }
  },
})
