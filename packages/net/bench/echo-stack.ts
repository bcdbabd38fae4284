import type { Clock, FramePool, NetQueue } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime } from '@parakernel/queue'
import { libos } from '../src/index.ts'

export const ECHO_PORT = 7
export const SERVER_ADDRESS = '10.0.0.1'

export interface EchoStack {
  /** Moves what is there, at most a burst. */
  poll(): void
  /** Packets that the handler answered. */
  readonly answered: number
}

/** This package's stack on one queue, with a handler that sends every datagram of the echo port back. */
export async function echoStack(queue: NetQueue, pool: FramePool, clock: Clock): Promise<EchoStack> {
  const loop = new RunLoop({ clock })
  const stack = await libos.create(
    { address: `${SERVER_ADDRESS}/24`, addressCheck: 'none' },
    { queues: [queue], pool, clock, loop, runtime: createQueueRuntime(loop), partition: 0, partitions: 1 },
  )
  const echo = {
    answered: 0,
    poll: () => void stack.poll(0),
  }
  const qd = stack.socket('datagram')
  stack.bind(qd, { address: '0.0.0.0', port: ECHO_PORT })
  stack.serveDatagrams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
    echo.answered += burst.count
  })
  return echo
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]
}
