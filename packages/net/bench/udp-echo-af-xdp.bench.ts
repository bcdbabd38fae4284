/**
 * What UDP echo costs over AF_XDP and a veth pair, per packet, in this package's own code. The far end, a second AF_XDP socket
 * in its own namespace and thread, sends as fast as it can. Rounds of the stack alternate with rounds that only receive and
 * transmit on the same queue, and the difference is ours: parsing, both checksums in software, the handler, the answer's
 * headers, and the first touch of the packet's memory. Only rounds that moved a whole burst count. Needs two free cores.
 * Budget: 300 ns, and nothing allocated.
 */
import { Worker } from 'node:worker_threads'
import { type AfXdpDevice, backend } from '@parakernel/af-xdp'
import { createPlainWindow, FramePool, MonotonicClock, NetBurst, type NetQueue } from '@parakernel/hal'
import { createVethPair, probeLab } from '@parakernel/linux'
import { type BenchCase, benchCases, collectionsDuring } from '@parakernel/tool-bench'
import { udpFrame } from '../test/support/frames.ts'
import { ECHO_PORT, type EchoStack, echoStack, median, SERVER_ADDRESS } from './echo-stack.ts'

const BURST = 32
/** Whole bursts of a kind in a trial. */
const ROUNDS = 1000
const TRIALS = 11
const WARM_UP_TRIALS = 3
const SILENT_PACKETS = 1_000_000
const LIMIT_MS = 60_000

const clock = new MonotonicClock()

/** Opens both ends, floods the near one with `packet`, and runs `body` there. */
async function flooded<T>(
  packetFor: (mac: string) => Uint8Array,
  body: (queue: NetQueue, device: AfXdpDevice) => Promise<T>,
): Promise<T> {
  const pair = createVethPair({ label: 'echo' })
  const device = (await backend.open({ interface: pair.interface, take: 'all' }, { clock })) as AfXdpDevice
  const window = createPlainWindow(8192)
  const queue = backend.attach(device.grant(0, window), { pool: new FramePool(window), clock })
  const far = (await pair.inside(() => backend.open({ interface: pair.peer, take: 'all' }, { clock }))) as AfXdpDevice
  const worker = new Worker(new URL('./flood.ts', import.meta.url), {
    workerData: { grant: pair.inside(() => far.grant(0, createPlainWindow(8192))), packet: packetFor(device.mac) },
  })
  await new Promise((resolve) => worker.once('message', resolve))
  try {
    return await body(queue, device)
  } finally {
    await worker.terminate()
    queue.detach()
    await far.close()
    await device.close()
    pair.remove()
  }
}

/** A round that receives and transmits, and nothing else; answers how many packets. */
function forwarder(queue: NetQueue): () => number {
  const burst = new NetBurst(BURST, queue.capabilities.columns)
  return () => {
    if (queue.receive(burst) === 0) return 0
    const sent = queue.transmit(burst)
    for (let i = sent; i < burst.count; i++) queue.pool.release(burst.frame[i])
    return sent
  }
}

/** Alternates two kinds of rounds until each moved enough whole bursts; answers the median of each, ns a packet. */
function trial(kinds: readonly (() => number)[]): number[] {
  const samples = kinds.map(() => new Float64Array(ROUNDS))
  const taken = kinds.map(() => 0)
  const end = performance.now() + LIMIT_MS
  while (Math.min(...taken) < ROUNDS) {
    for (let kind = 0; kind < kinds.length; kind++) {
      const start = performance.now()
      const moved = kinds[kind]()
      const time = performance.now() - start
      if (moved === BURST && taken[kind] < ROUNDS) samples[kind][taken[kind]++] = time
      if (start > end) throw new Error('the far end does not send whole bursts')
    }
  }
  return samples.map((times) => (median([...times]) * 1e6) / BURST)
}

function echoRound(stack: EchoStack): () => number {
  return () => {
    const before = stack.answered
    stack.poll()
    return stack.answered - before
  }
}

const dropped = (device: AfXdpDevice) => {
  const { rxDroppedNoFrame, rxDroppedRingFull, rxDroppedTooLong, txDropped } = device.statistics()
  return rxDroppedNoFrame + rxDroppedRingFull + rxDroppedTooLong + txDropped
}

function echo(payload: number) {
  const packetFor = (mac: string) =>
    udpFrame({
      ...{ to: mac, destination: SERVER_ADDRESS, destinationPort: ECHO_PORT },
      payload: new Uint8Array(payload),
    })
  return flooded(packetFor, async (queue, device) => {
    const stack = await echoStack(queue, queue.pool, clock)
    const kinds = [echoRound(stack), forwarder(queue)]
    for (let i = 0; i < WARM_UP_TRIALS; i++) trial(kinds)
    const trials = Array.from({ length: TRIALS }, () => trial(kinds))
    const before = dropped(device)
    const first = stack.answered
    const start = performance.now()
    const collections = await collectionsDuring(() => {
      // The clock is read once in many polls: its numbers are objects.
      for (let poll = 1; stack.answered - first < SILENT_PACKETS; poll++) {
        stack.poll()
        if (poll % 1_000_000 === 0 && performance.now() - start > LIMIT_MS) throw new Error('the far end fell silent')
      }
    })
    const elapsed = performance.now() - start
    return {
      value: median(trials.map(([all, device]) => all - device)),
      'whole poll': median(trials.map(([all]) => all)),
      'receive + transmit': median(trials.map(([, device]) => device)),
      Mpps: SILENT_PACKETS / elapsed / 1e3,
      dropped: dropped(device) - before,
      collections,
    }
  })
}

const cases: Record<string, BenchCase> = {
  '64 B, checksums in software': () => echo(22),
  '1414 B, checksums in software': () => echo(1372),
}
await benchCases(
  import.meta,
  {
    title: 'UDP echo over AF_XDP and veth: own code',
    unit: 'ns per packet',
    better: 'less',
    unavailable: () => {
      const lab = probeLab()
      return lab.available ? undefined : `needs ${lab.missing}. ${lab.remedy}`
    },
  },
  cases,
)
