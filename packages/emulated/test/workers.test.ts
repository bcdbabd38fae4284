import { Worker } from 'node:worker_threads'
import {
  createPlainWindow,
  DebugFramePool,
  MonotonicClock,
  NetBurst,
  type NetStatistics,
  parseMac,
} from '@parakernel/hal'
import { expect, it } from 'vitest'
import { backend, createNetwork, type EmulatedNic } from '../src/index.ts'

const FRAMES = 1_000_000

interface Result {
  readonly done: number
  readonly wrong: number
  readonly missing: number
  readonly counters: NetStatistics
}

function start(nic: EmulatedNic, role: 'send' | 'check' | 'flood' | 'drip', to: string, count = FRAMES) {
  const grant = nic.grant(0, createPlainWindow(1024))
  const worker = new Worker(new URL('./workers/thread.ts', import.meta.url), {
    workerData: { grant, role, count, to: [...parseMac(to)] },
  })
  const failed = new Promise<never>((_, reject) => worker.once('error', reject))
  const next = () => Promise.race([failed, new Promise<unknown>((resolve) => worker.once('message', resolve))])
  return { grant, worker, next }
}

it('a million frames from one worker to another: none lost, none wrong, under back-pressure', {
  timeout: 120_000,
}, async () => {
  const network = createNetwork()
  const [sender, receiver] = [network.nic(), network.nic({ flowControl: true, ringSize: 64 })]
  const checker = start(receiver, 'check', sender.mac)
  await checker.next()
  const result = checker.next() as Promise<Result>
  // Started later, and known to the checker's thread only through the network's memory.
  const source = start(sender, 'send', receiver.mac)
  await source.next()
  const sent = (await source.next()) as Result
  const checked = await result
  expect(sent).toMatchObject({ done: FRAMES, missing: 0 })
  expect(checked).toMatchObject({ done: FRAMES, wrong: 0, missing: 0 })
  expect(sender.statistics()).toMatchObject({ txPackets: FRAMES, txBytes: 64 * FRAMES, txDropped: 0 })
  expect(sender.statistics().txRingFull).toBeGreaterThan(0)
  expect(receiver.statistics()).toMatchObject({ rxPackets: FRAMES, rxBytes: 64 * FRAMES, rxDroppedRingFull: 0 })
  await Promise.all([source.worker.terminate(), checker.worker.terminate()])
  await network.close()
})

it('a sender that is killed in mid-burst, again and again: the queue is granted again, and nothing is corrupt', {
  timeout: 60_000,
}, async () => {
  const network = createNetwork()
  const clock = new MonotonicClock()
  const [nic, peer] = [network.nic(), network.nic()]
  const window = createPlainWindow(512)
  const pool = new DebugFramePool(window)
  const queue = backend.attach(peer.grant(0, window), { pool, clock })
  const burst = new NetBurst(32, peer.capabilities.columns)
  const take = () => {
    const entries = queue.receive(burst)
    for (let i = 0; i < entries; i++) {
      const start = pool.address(burst.frame[i]) + burst.offset[i]
      const number = pool.view.getInt32(start + 16)
      for (let at = 20; at < 64; at += 4) expect(pool.view.getInt32(start + at)).toBe(Math.imul(number, at))
      expect(burst.length[i]).toBe(64)
      pool.release(burst.frame[i])
    }
    return entries
  }
  for (let round = 0; round < 6; round++) {
    const holder = start(nic, 'flood', peer.mac)
    await holder.next()
    for (let taken = 0; taken < 500; ) taken += take()
    await holder.worker.terminate()
    nic.reclaim(holder.grant)
    while (take() > 0);
    expect(take()).toBe(0)
  }
  const { txPackets } = nic.statistics()
  const { rxPackets, rxDroppedRingFull, rxDroppedNoFrame } = peer.statistics()
  // A burst that was cut short by the kill was counted but not published, or the other way round.
  expect(Math.abs(txPackets - rxPackets - rxDroppedRingFull - rxDroppedNoFrame)).toBeLessThanOrEqual(6 * 32)
  queue.detach()
  expect(pool.report()).toBe('')
  await network.close()
})

it('a queue that was granted after a worker attached wakes its holder from there', async () => {
  const network = createNetwork()
  const [sender, receiver] = [network.nic(), network.nic()]
  const drip = start(sender, 'drip', receiver.mac)
  await drip.next()
  const window = createPlainWindow(64)
  const pool = new DebugFramePool(window)
  const queue = backend.attach(receiver.grant(0, window), { pool, clock: new MonotonicClock() })
  if (queue.wake.kind !== 'word') throw new Error('no word to sleep on')
  const { word } = queue.wake
  const burst = new NetBurst(64, receiver.capabilities.columns)
  let slept = 0
  while (slept < 20) {
    const sequence = word.announce()
    if (queue.arm()) word.cancel()
    else {
      const begin = performance.now()
      await word.sleepAsync(sequence, 5_000)
      expect(performance.now() - begin).toBeLessThan(2_000)
      slept++
    }
    while (queue.receive(burst) > 0) for (let i = 0; i < burst.count; i++) pool.release(burst.frame[i])
  }
  expect(sender.statistics().wakeUps).toBeGreaterThan(0)
  await drip.worker.terminate()
  queue.detach()
  await network.close()
})
