/**
 * One bulk flow of TCP between this stack and the Linux kernel over TAP, each way, with super-frames and without. The kernel's
 * end is a process that reads or writes on the other core; what it does with a packet that we send runs on our core, inside
 * the system call. Needs two free cores.
 */
import { spawn } from 'node:child_process'
import { createPlainWindow, FramePool, MonotonicClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createLabNamespace, LinuxHost, probeLab } from '@parakernel/linux'
import { backend, type TapOptions } from '@parakernel/tap'
import { type BenchCase, benchCases } from '@parakernel/tool-bench'
import { BULK_PORT, bulkServer } from './support/bulk-server.ts'

const ADDRESS = '10.77.0.1'
const HOST_ADDRESS = '10.77.0.2/24'
const WARM_UP_MS = 1500
const MEASURE_MS = 3000
const PATIENCE_MS = 5000

const clock = new MonotonicClock()

type Result = {
  readonly value: number
  /** CPU time of this thread for each 1448 bytes: ours with the FFI, and the kernel's in our name. */
  readonly 'user ns': number
  readonly 'kernel ns': number
  readonly 'bytes/packet': number
}

interface Case {
  /** Seen from the libOS. */
  readonly direction: 'receive' | 'send'
  readonly offloads: NonNullable<TapOptions['offloads']>
  readonly frameSize?: number
}

async function run({ direction, offloads, frameSize = 2048 }: Case): Promise<Result> {
  const lab = createLabNamespace({ label: 'bulk' })
  const host = new LinuxHost()
  const tap = { interface: 'tap0', namespace: lab.namespace, hostAddresses: [HOST_ADDRESS], offloads }
  const device = await backend.open(tap, { clock, host })
  const window = createPlainWindow(Math.floor((64 << 20) / frameSize), { frameSize })
  const pool = new FramePool(window)
  const queue = backend.attach(device.grant(0, window), { pool, clock })
  const loop = new RunLoop({ clock, host })
  const what = direction === 'send' ? 'write' : 'read'
  const options = { address: `${ADDRESS}/24`, addressCheck: 'none', ipv6: 'off' } as const
  const server = await bulkServer(what, { pool, queues: [queue], loop, options })
  const file = new URL('./support/kernel-stream.ts', import.meta.url).pathname
  const peer = direction === 'send' ? 'read' : 'write'
  const child = spawn(...lab.command(process.execPath, file, peer, ADDRESS, String(BULK_PORT)), { stdio: 'inherit' })
  try {
    const poll = (milliseconds: number) => loop.runUntil(() => false, clock.now() + milliseconds * 1e6)
    for (const end = performance.now() + PATIENCE_MS; server.open === 0; ) {
      if (performance.now() > end) throw new Error('the kernel does not connect')
      poll(10)
    }
    poll(WARM_UP_MS)
    // What the kernel took, and not what waits in the send buffer, counts.
    const count = () => {
      const { rxBytes, txBytes, rxPackets, txPackets } = device.statistics()
      return direction === 'send'
        ? { bytes: txBytes, packets: txPackets }
        : { bytes: server.received, packets: rxPackets, rxBytes }
    }
    const before = count()
    const cpu = process.threadCpuUsage()
    const start = performance.now()
    poll(MEASURE_MS)
    const wall = performance.now() - start
    const { user, system } = process.threadCpuUsage(cpu)
    const after = count()
    const bytes = after.bytes - before.bytes
    if (bytes === 0) throw new Error('nothing was carried')
    return {
      value: (bytes * 8) / wall / 1e6,
      'user ns': (user * 1e3) / (bytes / 1448),
      'kernel ns': (system * 1e3) / (bytes / 1448),
      'bytes/packet': bytes / (after.packets - before.packets),
    }
  } finally {
    child.kill('SIGKILL')
    await server.close()
    queue.detach()
    loop.close()
    await device.close()
    lab.remove()
  }
}

const LARGE = 66_048
const cases: Record<string, BenchCase> = {
  'send, super-frames': () => run({ direction: 'send', offloads: 'tcp' }),
  'send, super-frames, 64 KiB frames': () => run({ direction: 'send', offloads: 'tcp', frameSize: LARGE }),
  'send, checksums left': () => run({ direction: 'send', offloads: 'checksum' }),
  'send, no offloads': () => run({ direction: 'send', offloads: 'none' }),
  'receive, super-frames': () => run({ direction: 'receive', offloads: 'tcp' }),
  'receive, super-frames, 64 KiB frames': () => run({ direction: 'receive', offloads: 'tcp', frameSize: LARGE }),
  'receive, checksums left': () => run({ direction: 'receive', offloads: 'checksum' }),
  'receive, no offloads': () => run({ direction: 'receive', offloads: 'none' }),
}
await benchCases(
  import.meta,
  {
    title: 'TCP over TAP, one flow to or from the kernel',
    unit: 'Gb/s',
    better: 'more',
    unavailable: () => {
      const lab = probeLab()
      return lab.available ? undefined : `needs ${lab.missing}. ${lab.remedy}`
    },
  },
  cases,
)
