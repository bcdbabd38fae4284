import { openSync } from 'node:fs'
import { createPlainWindow, FramePool, MonotonicClock, NetBurst, type NetQueue } from '@parakernel/hal'
import { bench, do_not_optimize, run, summary } from 'mitata'
import { FaultQueue } from '../src/faults/queue.ts'
import { type FaultOptions, faultSettings } from '../src/faults/settings.ts'
import { ByteRing, byteRingBuffer } from '../src/pcap/byte-ring.ts'
import { PcapQueue } from '../src/pcap/queue.ts'
import { TraceQueue } from '../src/trace/queue.ts'
import { recordRingBuffer } from '../src/trace/record-ring.ts'
import { EndlessQueue } from '../test/support/endless-queue.ts'

// One burst of 32 packets of 60 bytes received and transmitted, through each probe: divide by 64 for a packet and direction.
const clock = new MonotonicClock()
const endless = () => new EndlessQueue(new FramePool(createPlainWindow(8192, { frameSize: 512 })))
const nowhere = openSync('/dev/null', 'w')

function forward(queue: NetQueue): () => void {
  const burst = new NetBurst(32, queue.capabilities.columns)
  return () => {
    queue.receive(burst)
    do_not_optimize(queue.transmit(burst))
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
  const step = forward(queue)
  return () => {
    if (reader.pending > 1 << 21) reader.drain(nowhere)
    step()
  }
}

summary(() => {
  bench('no probe', forward(endless())).baseline(true)
  bench('faults, all at zero', forward(withFaults({})))
  bench('faults, 1 % loss', forward(withFaults({ loss: 0.01 })))
  bench('trace', forward(withTrace()))
  bench('pcap', withPcap())
})

await run()
