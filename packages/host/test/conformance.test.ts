import { setTimeout as sleep } from 'node:timers/promises'
import { createPlainWindow, DebugFramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { networkLibosConformance } from '@parakernel/libos-conformance'
import { createQueueRuntime } from '@parakernel/queue'
import { libos } from '../src/index.ts'

async function instance(address: string, loops: RunLoop[]) {
  const loop = new RunLoop()
  loop.start()
  loops.push(loop)
  return libos.create(
    { address, ipv6Address: '::1' },
    {
      loop,
      runtime: createQueueRuntime(loop),
      clock: loop.clock,
      pool: new DebugFramePool(createPlainWindow(256)),
      queues: [],
      partition: 0,
      partitions: 1,
    },
  )
}

// Linux takes all of 127/8 as its own; elsewhere the two instances share one address, with ports of their own.
const second = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'

networkLibosConformance({
  name: 'host',
  broadcastAddress: '127.255.255.255',
  missingStreamOptions: [
    'ttl',
    'keepAliveInterval',
    'keepAliveProbes',
    'userTimeout',
    'notSentLowWater',
    'maximumSegment',
    'congestionControl',
  ],
  unsupported: {
    exactBuffers: "the kernel's buffers lie beneath those of the socket",
    acknowledgedClose: 'Node does not tell when the peer has acknowledged the end, only when the kernel has taken it',
    synchronousWait: "only Node's own loop moves the sockets of the host, and a synchronous wait holds it up",
    multicastLoopOff: 'both instances hear the one loopback interface, which brings back whatever is sent on it',
    ...(process.platform === 'linux'
      ? {}
      : {
          broadcast: 'the loopback interface has no broadcast address here',
          multicast: 'the loopback interface has no multicast here',
        }),
  },
  async setup() {
    const loops: RunLoop[] = []
    return {
      a: await instance('127.0.0.1', loops),
      b: await instance(second, loops),
      addressOfA: '127.0.0.1',
      addressOfB: second,
      ipv6AddressOfA: '::1',
      ipv6AddressOfB: '::1',
      settle: () => sleep(20),
      async close() {
        for (const loop of loops) loop.close()
      },
    }
  },
})
