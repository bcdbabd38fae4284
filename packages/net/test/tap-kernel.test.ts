import { spawn } from 'node:child_process'
import {
  type QueueDescriptor,
  STREAM_CLOSED,
  STREAM_DATA,
  STREAM_ECHO,
  STREAM_ENDED,
  type StreamHandler,
} from '@parakernel/queue'
import type { TapOptions } from '@parakernel/tap'
import { expect, test } from 'vitest'
import { TapStations, tapMissing } from './support/tap.ts'

const TOTAL = 24 << 20
const client = new URL('./support/kernel-echo-client.ts', import.meta.url).pathname
let made = 0

interface Variant {
  readonly offloads: NonNullable<TapOptions['offloads']>
  readonly ipv6?: boolean
  readonly frameSize?: number
}

test.for<Variant>([
  { offloads: 'tcp' },
  { offloads: 'tcp', ipv6: true },
  { offloads: 'tcp', frameSize: 66_048 },
  { offloads: 'checksum' },
  { offloads: 'none' },
])('what the kernel sends comes back to it byte by byte, with %j', { timeout: 60_000 }, async (variant, context) => {
  const { offloads, ipv6 = false, frameSize = 2048 } = variant
  const missing = tapMissing()
  if (missing !== undefined) context.skip(missing)
  const stations = new TapStations(`k${made++}`)
  try {
    const hostAddresses = ['10.79.0.2/24', 'fd79::2/64']
    const options = { address: '10.79.0.1/24', addresses: ['fd79::1/64'], addressCheck: 'none', ndProbes: 0 } as const
    const frames = Math.floor((16 << 20) / frameSize)
    const stack = await stations.add({ interface: 'tap0', hostAddresses, offloads }, options, { frames, frameSize })
    const listener = stack.socket('stream', 'ipv6')
    stack.bind(listener, { address: '::', port: 7 })
    stack.listen(listener)
    let closed = 0
    const echo: StreamHandler = (burst) => {
      for (let i = 0; i < burst.count; i++) {
        if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
        else if (burst.event[i] === STREAM_ENDED) stack.halfClose(burst.qd[i] as QueueDescriptor)
        else if (burst.event[i] === STREAM_CLOSED) closed++
      }
    }
    stack.serveStreams(listener, echo)
    stations.loop.start('guest')
    const address = ipv6 ? 'fd79::1' : '10.79.0.1'
    const [file, args] = stations.lab.command(process.execPath, client, address, '7', String(TOTAL))
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (data) => {
      printed += data
    })
    await new Promise((resolve) => child.once('close', resolve))
    expect(printed.trim()).toBe(`${TOTAL} bytes came back, the same`)
    expect(closed).toBe(1)
    const { rxDroppedNoFrame, rxDroppedTooLong, txInvalidDescriptors, txTooLong, txUnsupported, ...device } =
      stations.statistics()
    expect({ rxDroppedNoFrame, rxDroppedTooLong, txInvalidDescriptors, txTooLong, txUnsupported }).toEqual({
      rxDroppedNoFrame: 0,
      rxDroppedTooLong: 0,
      txInvalidDescriptors: 0,
      txTooLong: 0,
      txUnsupported: 0,
    })
    // Super-frames in both directions, or none in either.
    const whole = offloads === 'tcp'
    expect(device.rxBytes / device.rxPackets > 1514).toBe(whole)
    if (whole) expect(device.txBytes).toBeGreaterThan(TOTAL)
  } finally {
    await stations.close()
  }
})
