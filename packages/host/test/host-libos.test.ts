import { createPlainWindow, DebugFramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, DatagramBurst, REPLY_HEADROOM, sgaFromText } from '@parakernel/queue'
import { afterEach, describe, expect, it } from 'vitest'
import { type HostLibOS, libos } from '../src/index.ts'

const opened: HostLibOS[] = []

async function host(options = {}, frames = 64): Promise<HostLibOS> {
  const loop = new RunLoop()
  const pool = new DebugFramePool(createPlainWindow(frames))
  const runtime = createQueueRuntime(loop)
  const context = { loop, runtime, clock: loop.clock, pool, queues: [], partition: 0, partitions: 1 }
  const created = (await libos.create(options, context)) as HostLibOS
  opened.push(created)
  return created
}

afterEach(async () => {
  for (const libos of opened.splice(0)) {
    await libos.shutdown()
    expect((libos.pool as DebugFramePool).report()).toBe('')
  }
})

describe('host libOS', () => {
  it('refuses a synchronous wait, and says what to do', async () => {
    const os = await host()
    const qd = os.socket('datagram')
    const pop = os.pop(qd)
    expect(() => os.runtime.wait(pop)).toThrow(
      expect.objectContaining({ code: 'ENOTSUP', remedy: expect.stringContaining('await runtime.completion') }),
    )
  })

  it('knows the addresses of the host, or the one that it was given', async () => {
    expect((await host()).addresses).toContain('127.0.0.1')
    const one = await host({ address: '127.0.0.1/8' })
    expect(one.addresses).toEqual(['127.0.0.1'])
    expect(() => one.bind(one.socket('datagram'), { address: '127.0.0.9', port: 0 })).toThrow(
      expect.objectContaining({ code: 'EADDRNOTAVAIL' }),
    )
    await expect(host({ address: 'localhost' })).rejects.toMatchObject({ code: 'EINVAL' })
  })

  it('refuses what it does not serve', async () => {
    const os = await host({ address: '127.0.0.1' })
    expect(() => os.socket('raw' as 'stream')).toThrow(expect.objectContaining({ code: 'EPROTONOSUPPORT' }))
    expect(() => os.socket('stream', 'ipv6')).toThrow(
      expect.objectContaining({ code: 'EAFNOSUPPORT', remedy: expect.stringContaining('ipv6Address') }),
    )
    const six = await host({ ipv6Address: '::1' })
    expect(six.addresses).toEqual(['::1'])
    expect(() => six.serveDatagrams(six.socket('datagram', 'ipv6'), () => {})).toThrow(
      expect.objectContaining({ code: 'ENOTSUP' }),
    )
  })

  it('counts datagrams that find no frames', async () => {
    const os = await host({ address: '127.0.0.1' }, 4)
    const [server, client] = [os.socket('datagram'), os.socket('datagram')]
    os.bind(server, { address: '127.0.0.1', port: 0 })
    const sga = sgaFromText(os.pool, 'x')
    for (let i = 0; i < 6; i++) {
      await os.runtime.completion(os.pushTo(client, sga, os.getsockname(server)))
    }
    while (os.statistics()['udp']['udpInDatagrams'] + os.statistics()['udp']['udpInErrors'] < 6) {
      await new Promise(setImmediate)
    }
    expect(os.statistics()['drop']['udpPoolLow']).toBe(3)
    expect(os.statistics()['udp']['udpInErrors']).toBe(3)
    sga.free()
  })

  it('hands a handler no datagram that is longer than a frame, and counts it', async () => {
    const os = await host({ address: '127.0.0.1' })
    const [server, client] = [os.socket('datagram'), os.socket('datagram')]
    os.bind(server, { address: '127.0.0.1', port: 0 })
    const lengths: number[] = []
    os.serveDatagrams(server, (burst) => {
      for (let i = 0; i < burst.count; i++) lengths.push(burst.length[i])
    })
    const long = sgaFromText(os.pool, 'x'.repeat(3000))
    const short = sgaFromText(os.pool, 'x'.repeat(30))
    await os.runtime.completion(os.pushTo(client, long, os.getsockname(server)))
    await os.runtime.completion(os.pushTo(client, short, os.getsockname(server)))
    long.free()
    short.free()
    while (lengths.length === 0) await new Promise(setImmediate)
    expect(lengths).toEqual([30])
    expect(os.statistics()['drop']['udpTooLongToServe']).toBe(1)
  })

  it('counts replies that the kernel refuses, and keeps no frame of them', async () => {
    const os = await host({ address: '127.0.0.1' })
    const qd = os.socket('datagram')
    const burst = new DatagramBurst(1)
    const frame = os.pool.allocate()
    burst.count = 1
    burst.frame[0] = frame
    burst.address[0] = os.pool.address(frame) + REPLY_HEADROOM
    burst.length[0] = 4
    burst.peerAddress[0] = -1 // 255.255.255.255, without leave to broadcast
    burst.peerPort[0] = 9
    expect(os.sendDatagrams(qd, burst)).toBe(1)
    while (os.statistics()['drop']['outRefused'] === 0) await new Promise(setImmediate)
    expect(os.pool.available).toBe(64)
  })

  it('leaves a datagram in flight to complete before an orderly close', async () => {
    const os = await host({ address: '127.0.0.1' })
    const [server, client] = [os.socket('datagram'), os.socket('datagram')]
    os.bind(server, { address: '127.0.0.1', port: 0 })
    const sga = sgaFromText(os.pool, 'last words')
    const push = os.pushTo(client, sga, os.getsockname(server))
    sga.free()
    const close = os.asyncClose(client)
    expect(await os.runtime.completion(push)).toMatchObject({ kind: 'push', bytes: 10 })
    expect(await os.runtime.completion(close)).toMatchObject({ kind: 'close' })
    const pop = await os.runtime.completion(os.pop(server))
    if (pop.kind === 'pop') pop.sga.free()
    expect(pop.kind).toBe('pop')
  })
})
