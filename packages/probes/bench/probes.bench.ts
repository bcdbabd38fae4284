import { openSync } from 'node:fs'
import {
  createPlainWindow,
  FramePool,
  MonotonicClock,
  NetBurst,
  type NetQueue,
  recordRingBuffer,
} from '@parakernel/hal'
import { benchCases, keep, perCall } from '@parakernel/tool-bench'
import { FaultQueue } from '../src/faults/queue.ts'
import { type FaultOptions, faultSettings } from '../src/faults/settings.ts'
import { ByteRing, byteRingBuffer } from '../src/pcap/byte-ring.ts'
import { PcapQueue } from '../src/pcap/queue.ts'
import { TraceQueue } from '../src/trace/queue.ts'
import { EndlessQueue } from '../test/support/endless-queue.ts'

// A packet of 60 bytes in one direction, out of bursts of 32 that are received and transmitted through each probe.
const BURST = 32
const clock = new MonotonicClock()
const endless = () => new EndlessQueue(new FramePool(createPlainWindow(8192, { frameSize: 512 })))

function forward(queue: NetQueue): () => void {
  const burst = new NetBurst(BURST, queue.capabilities.columns)
  return () => {
    queue.receive(burst)
    keep(queue.transmit(burst))
  }
}

function withFaults(options: FaultOptions): NetQueue {
  const inner = endless()
  return new FaultQueue(inner, inner.grant, faultSettings(options), clock)
}

function withTrace(): NetQueue {
  const inner = endless()
  return new TraceQueue(inner, inner.grant, { ring: recordRingBuffer(16_384) }, clock)
}

/** What the writer thread does elsewhere, emptying the ring, is done here in between and to no disk. */
function withPcap(): () => void {
  const inner = endless()
  const ring = byteRingBuffer(1 << 22)
  const settings = { ring, bell: new SharedArrayBuffer(64), fd: -1, snapLength: 65_535 }
  const queue = new PcapQueue(inner, inner.grant, { ...settings, epochSeconds: 0, epochNanoseconds: 0 }, clock)
  const reader = new ByteRing(ring)
  const nowhere = openSync('/dev/null', 'w')
  const step = forward(queue)
  return () => {
    if (reader.pending > 1 << 21) reader.drain(nowhere)
    step()
  }
}

const perPacket = async (step: () => void) => (await perCall(step)) / (2 * BURST)

await benchCases(
  import.meta,
  { title: 'probes', unit: 'ns per packet', better: 'less', baseline: 'no probe' },
  {
    'no probe': () => perPacket(forward(endless())),
    'faults, all at zero': () => perPacket(forward(withFaults({}))),
    'faults, 1 % loss': () => perPacket(forward(withFaults({ loss: 0.01 }))),
    trace: () => perPacket(forward(withTrace())),
    pcap: () => perPacket(withPcap()),
  },
)
