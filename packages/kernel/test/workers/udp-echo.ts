import { NetBurst } from '@parakernel/hal'
import type { PartitionContext } from '../../src/index.ts'

/** Sends every UDP datagram back where it came from: addresses and ports swapped, which changes no checksum. */
export function partition({ queues, pool, loop }: PartitionContext) {
  const burst = new NetBurst(32)
  let echoed = 0
  for (const queue of queues) {
    loop.add({
      wake: queue.wake,
      arm: () => queue.arm(),
      poll() {
        const n = queue.receive(burst)
        for (let i = 0; i < n; i++) {
          const at = pool.address(burst.frame[i]) + burst.offset[i]
          swap(pool.bytes, at, at + 6, 6)
          swap(pool.bytes, at + 26, at + 30, 4)
          swap(pool.bytes, at + 34, at + 36, 2)
        }
        for (let sent = queue.transmit(burst); sent < n; sent++) pool.release(burst.frame[sent])
        echoed += n
        return n
      },
    })
  }
  return {
    methods: {
      echoed: () => echoed,
      spin() {
        for (;;);
      },
    },
  }
}

function swap(bytes: Uint8Array, a: number, b: number, length: number): void {
  for (let i = 0; i < length; i++) {
    const byte = bytes[a + i]
    bytes[a + i] = bytes[b + i]
    bytes[b + i] = byte
  }
}
