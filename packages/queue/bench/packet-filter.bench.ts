/**
 * A filter over a NIC queue, in the driver and in software, under a flood of which one frame in a hundred is wanted: CPU time of the
 * thread that pops, per wanted frame. It sleeps when there is nothing to do, so that time that is not needed is not counted. Over
 * AF_XDP on a veth pair, whose far end is another AF_XDP socket in a namespace and thread of its own. Needs two free cores.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { AfXdpDevice, backend } from '@parakernel/af-xdp'
import { createPlainWindow, expr, type FilterExpression, FramePool, MonotonicClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createVethPair, LinuxHost, probeLab } from '@parakernel/linux'
import { benchCases } from '@parakernel/tool-bench'
import { createQueueRuntime, QueueAlgebra } from '../src/index.ts'

const WARM_UP_MS = 2000
const MEASURE_MS = 2000
const clock = new MonotonicClock()
const moduleUrl = import.meta.resolve('@parakernel/af-xdp')
const wanted = expr.all(expr.eq(expr.field('ethernet.type'), 0x88b5), expr.eq(expr.load('frame', 14, 1), 7))

interface Sent {
  readonly sent: number
  readonly user: number
  readonly system: number
}

async function run(rate: number, where: 'device' | 'software') {
  const pair = createVethPair({ label: 'pfbn' })
  const host = new LinuxHost()
  const device = (await backend.open({ interface: pair.interface, take: 'all' }, { clock, host })) as AfXdpDevice
  const far = pair.inside(() => new AfXdpDevice({ interface: pair.peer, take: 'all' }, { clock, host }, moduleUrl))
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const window = createPlainWindow(4096)
  const pool = new FramePool(window)
  const nic = backend.attach(device.grant(0, window), { pool, clock, host })
  try {
    nic.setReceiveFilter({ promiscuous: true })
    const loop = new RunLoop({ clock, host, wait: { kind: 'sleep' } })
    const runtime = createQueueRuntime(loop)
    const algebra = new QueueAlgebra(runtime, pool)
    const setPacketFilter = (expression: FilterExpression | undefined) => device.setPacketFilter(0, expression)
    const filtered = algebra.filter(algebra.packets(nic, where === 'device' ? { setPacketFilter } : {}), wanted)
    const [{ runs }] = algebra.explain(filtered)
    if (runs !== where) throw new Error(`the filter runs in the ${runs}`)

    const grant = pair.inside(() => far.grant(0, createPlainWindow(4096)))
    const worker = new Worker(new URL('./flood.ts', import.meta.url), { workerData: { grant, rate, stop } })
    await once(worker, 'message')
    let popped = 0
    const pop = (milliseconds: number) => {
      for (const end = performance.now() + milliseconds; performance.now() < end; popped++) {
        const completion = runtime.wait(algebra.pop(filtered), 1e9)
        if (completion.kind === 'pop') completion.sga.free()
      }
    }
    pop(WARM_UP_MS)
    popped = 0
    const cpu = process.threadCpuUsage()
    pop(MEASURE_MS)
    const { user, system } = process.threadCpuUsage(cpu)
    Atomics.store(stop, 0, 1)
    const [sent] = (await once(worker, 'message')) as [Sent]
    await worker.terminate()
    loop.close()
    return {
      value: ((user + system) * 1e3) / popped,
      'user ns': (user * 1e3) / popped,
      'kernel ns': (system * 1e3) / popped,
      'share of a core': (user + system) / 1e3 / MEASURE_MS,
      'wanted/s': (popped * 1000) / MEASURE_MS,
      'sender ns/frame': ((sent.user + sent.system) * 1e3) / sent.sent,
      'sender kernel ns/frame': (sent.system * 1e3) / sent.sent,
    }
  } finally {
    Atomics.store(stop, 0, 1)
    nic.detach()
    await far.close()
    await device.close()
    pair.remove()
  }
}

await benchCases(
  import.meta,
  {
    title: 'a filter that 1 % of a flood passes, over AF_XDP',
    unit: 'ns of CPU per wanted frame',
    better: 'less',
    baseline: 'in software, 200,000 frames/s',
    unavailable: () => {
      const lab = probeLab()
      return lab.available ? undefined : `needs ${lab.missing}. ${lab.remedy}`
    },
  },
  {
    'in software, 200,000 frames/s': () => run(200_000, 'software'),
    'in the driver, 200,000 frames/s': () => run(200_000, 'device'),
    'in software, 400,000 frames/s': () => run(400_000, 'software'),
    'in the driver, 400,000 frames/s': () => run(400_000, 'device'),
  },
)
