import { createPlainWindow, FramePool, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { libos, type NetOptions } from '../src/index.ts'
import { Machines } from './support/machines.ts'

function context() {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const pool = new FramePool(createPlainWindow(16))
  const runtime = createQueueRuntime(loop)
  return { loop, pool, runtime, clock: loop.clock, queues: [], partition: 0, partitions: 1 }
}

const refused = (options: Record<string, unknown>) => libos.create(options as unknown as NetOptions, context())

describe('options', () => {
  const bad: readonly [name: string, options: Record<string, unknown>, message: RegExp][] = [
    ['no address', {}, /option address: it is required/],
    ['an address without prefix', { address: '10.0.0.1' }, /"10\.0\.0\.1".*prefix/],
    ['the address of a network', { address: '10.0.0.0/24' }, /single host/],
    ['a gateway elsewhere', { address: '10.0.0.1/24', gateway: '10.0.1.1' }, /gateway 10\.0\.1\.1/],
    ['a gateway that we are', { address: '10.0.0.1/24', gateway: '10.0.0.1' }, /gateway/],
    ['a VLAN out of range', { address: '10.0.0.1/24', vlanId: 4095 }, /option vlanId: 4095/],
    ['a burst of a half', { address: '10.0.0.1/24', burst: 0.5 }, /option burst/],
    ['an unknown checksum policy', { address: '10.0.0.1/24', checksum: 'gpu' }, /device, software, omit/],
    ['a range of ports backwards', { address: '10.0.0.1/24', ephemeralPorts: '9-3' }, /ephemeralPorts/],
    ['an option that is none', { address: '10.0.0.1/24', adress: 1 }, /option adress: there is no such option/],
    ['no queues', { address: '10.0.0.1/24' }, /no device queue/],
  ]
  for (const [name, options, message] of bad) {
    it(`refuse ${name}`, async () => {
      await expect(refused(options)).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringMatching(message) })
    })
  }

  it('have forms that tell a config what is no address before anything starts', () => {
    const { address, gateway } = libos.options
    for (const good of ['10.0.0.1/24', '255.249.199.0/32', '0.0.0.0/0'])
      expect(address?.form?.pattern.test(good)).toBe(true)
    for (const wrong of [
      '10.0.0.256/24',
      '10.0.0.1/33',
      '10.0.0.1',
      '10.0.0/24',
      '010.0.0.1/24',
      '1.2.3.4.5/8',
      'a.b.c.d/1',
    ])
      expect(address?.form?.pattern.test(wrong)).toBe(false)
    expect(gateway?.form?.pattern.test('10.0.0.254')).toBe(true)
    expect(gateway?.form?.pattern.test('10.0.0.300')).toBe(false)
  })

  it('refuse a device that transmits only aligned data', async () => {
    const machines = new Machines()
    const setup = { options: { address: '10.0.0.1/24' }, nic: { transmitAlignment: 4 } }
    await expect(machines.add(setup)).rejects.toMatchObject({ code: 'ENOTSUP' })
    await machines.network.close()
  })

  it('have a specification each, with its default in range', () => {
    for (const [name, spec] of Object.entries(libos.options)) {
      expect(spec.description, name).not.toBe('')
      if (typeof spec.default === 'number') {
        expect(spec.default, name).toBeGreaterThanOrEqual(spec.min ?? 0)
        expect(spec.default, name).toBeLessThanOrEqual(spec.max ?? Infinity)
      }
      if (spec.values !== undefined) expect(spec.values, name).toContain(spec.default)
    }
  })

  it('are shared by the partitions of an address', () => {
    const options = { address: '10.0.0.1/24' }
    expect(libos.share(options, 1)).toBe(options)
    expect(libos.share(options, 2).siblings).toBeInstanceOf(SharedArrayBuffer)
    expect(libos.steeringRules({ ...options, ephemeralPorts: '50000-50999' }, 4)).toEqual([
      { protocol: 'udp', destinationPort: [50_000, 50_999], queue: 0, spread: 4 },
      { protocol: 'tcp', destinationPort: [50_000, 50_999], queue: 0, spread: 4 },
    ])
  })
})

describe('sockets', () => {
  it('are refused for IPv6 where it is off, and when the table is full', async () => {
    const machines = new Machines()
    const { libos: net } = await machines.add({ options: { address: '10.0.0.1/24', sockets: 2, ipv6: 'off' } })
    expect(() => net.socket('datagram', 'ipv6')).toThrow(expect.objectContaining({ code: 'EAFNOSUPPORT' }))
    const [first] = [net.socket('datagram'), net.socket('datagram')]
    expect(() => net.socket('datagram')).toThrow(expect.objectContaining({ code: 'EMFILE' }))
    net.close(first)
    net.socket('datagram')
    await machines.close()
  })

  it('run out of ephemeral ports with an error', async () => {
    const machines = new Machines()
    const { libos: net } = await machines.add({ options: { address: '10.0.0.1/24', ephemeralPorts: '6000-6001' } })
    for (let i = 0; i < 2; i++) net.bind(net.socket('datagram'), { address: '0.0.0.0', port: 0 })
    expect(() => net.bind(net.socket('datagram'), { address: '0.0.0.0', port: 0 })).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    )
    await machines.close()
  })

  it('choose their ports at random, and repeatably from a seed', async () => {
    const ports = async (seed?: number) => {
      const machines = new Machines()
      const options = { address: '10.0.0.1/24', ...(seed === undefined ? {} : { seed }) }
      const { libos: net } = await machines.add({ options })
      const chosen = Array.from({ length: 5 }, () => {
        const qd = net.socket('datagram')
        net.bind(qd, { address: '0.0.0.0', port: 0 })
        return net.getsockname(qd).port
      })
      await machines.close()
      return chosen
    }
    expect(await ports(3)).toEqual(await ports(3))
    expect(await ports(3)).not.toEqual(await ports(4))
    expect(await ports()).not.toEqual(await ports())
  })
})
