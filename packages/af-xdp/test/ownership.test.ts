import { basename } from 'node:path'
import { createPlainWindow } from '@parakernel/hal'
import { PacketSocket, queryLink, xdpLinks } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { socketError } from '../src/control/queue-socket.ts'
import type { AfXdpDevice } from '../src/index.ts'
import { type DeviceChild, startDeviceChild } from './child.ts'
import { ipv4Packet } from './packets.ts'
import { drain, pause, Testbed, until } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

let bed: Testbed
const children: DeviceChild[] = []
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.process.kill('SIGKILL')
  await bed?.close()
})
const start = (...parameters: Parameters<typeof startDeviceChild>) => {
  const child = startDeviceChild(...parameters)
  children.push(child)
  return child
}
const programOn = (name: string) => queryLink(name).xdpProgramId

describe('one program an interface', () => {
  test('a second process gets EBUSY that names the first and says how to join', async () => {
    const pair = bed.pair({ label: 'o1', queues: 2 })
    const owner = start({ interface: pair.interface, take: 'all' })
    expect(await owner.outcome).toBe('open')
    await expect(bed.open({ interface: pair.interface, take: 'all' })).rejects.toMatchObject({
      code: 'EBUSY',
      subject: pair.interface,
      message: expect.stringContaining(`process ${owner.process.pid} (`),
      remedy: expect.stringContaining('join: true'),
    })
  })

  test('a process that waits reads who has the interface and how to share it, and has it when the owner is killed', async () => {
    const pair = bed.pair({ label: 'o8', queues: 2 })
    const owner = start({ interface: pair.interface, take: 'all' })
    expect(await owner.outcome).toBe('open')
    const waiting = start({ interface: pair.interface, addresses: ['10.79.0.1'] })
    const link = xdpLinks().find(({ programId }) => programId === programOn(pair.interface))
    // The whole message, as a user reads it.
    const [message] = (await waiting.outcome).split('\n')
    const command = `${basename(process.execPath)} --conditions=source`
    expect(message).toMatch(new RegExp(`^EBUSY ${pair.interface}: has an XDP program of process ${owner.process.pid} `))
    expect(message).toContain(`(${command}`)
    expect(message).toContain(`), link ${link?.id} (EBUSY). `)
    expect(message).toMatch(/To share the interface, open it with join: true and take queues that the owner left free$/)
    // Here is another one that waits: refused until the owner is gone, and let in then.
    const open = () => bed.open({ interface: pair.interface, take: 'all' }).catch((error) => error.code)
    expect(await open()).toBe('EBUSY')
    owner.process.kill('SIGKILL')
    let device: unknown = 'EBUSY'
    while (device === 'EBUSY') device = await open()
    bed.attach(device as AfXdpDevice, 0).detach()
  })

  test('a process that joined keeps its queue from the next owner, until it lets go', async () => {
    const pair = bed.pair({ label: 'o9', queues: 2 })
    const owner = start({ interface: pair.interface, take: 'all' })
    expect(await owner.outcome).toBe('open')
    const joined = start({ interface: pair.interface, join: true }, { queue: 1 })
    expect(await joined.outcome).toBe('open')
    owner.process.kill('SIGKILL')
    await owner.ended
    await until('the program to be gone', () => programOn(pair.interface) === 0)
    const device = await bed.open({ interface: pair.interface, take: 'all' })
    bed.attach(device, 0).detach()
    expect(() => device.grant(1, createPlainWindow(64))).toThrow(
      expect.objectContaining({
        code: 'EBUSY',
        subject: `${pair.interface} queue 1`,
        remedy: expect.stringContaining('end the process that has an XDP socket on this one'),
      }),
    )
    joined.process.kill('SIGKILL')
    await joined.ended
    bed.attach(device, 1).detach()
  })

  test('joining takes a queue that is free, and no other', async () => {
    const pair = bed.pair({ label: 'o2', queues: 2 })
    const owner = start({ interface: pair.interface, take: 'all' })
    expect(await owner.outcome).toBe('open')
    const device = await bed.open({ interface: pair.interface, join: true })
    expect(() => device.grant(0, createPlainWindow(64))).toThrow(
      expect.objectContaining({ code: 'EBUSY', subject: `${pair.interface} queue 0` }),
    )
    const queue = bed.attach(device, 1)
    const peer = pair.inside(() => new PacketSocket(pair.peer))
    // The peer's kernel chooses its transmit queue by the flow: some flow reaches ours.
    let got = 0
    for (let port = 1; port <= 64; port++) peer.send(ipv4Packet({ destinationPort: port }))
    await until('a frame on the joined queue', () => {
      got += drain(queue)
      return got > 0
    })
    expect(() => device.take({ take: 'all' })).toThrow(expect.objectContaining({ code: 'EPERM' }))
    peer.close()
  })

  test('a joined device goes down when the owner ends', async () => {
    const pair = bed.pair({ label: 'o7', queues: 2 })
    const owner = start({ interface: pair.interface, take: 'all' })
    expect(await owner.outcome).toBe('open')
    const device = await bed.open({ interface: pair.interface, join: true })
    const queue = bed.attach(device, 1)
    const events: unknown[] = []
    device.subscribe((event) => void events.push(event))
    expect(device.linkUp).toBe(true)
    owner.process.kill('SIGKILL')
    await until('the link to be down', () => !queue.control.linkUp)
    expect(device.linkUp).toBe(false)
    expect(events).toEqual([{ kind: 'link', up: false }])
    queue.detach()
  })

  test('joining where there is nothing to join is ENOENT', async () => {
    const pair = bed.pair({ label: 'o3' })
    await expect(bed.open({ interface: pair.interface, join: true })).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a program that was attached without a link is named with the command that removes it', async (context) => {
    const pair = bed.pair({ label: 'o4' })
    const { execFileSync } = await import('node:child_process')
    const { mkdtempSync, rmSync } = await import('node:fs')
    const folder = mkdtempSync('/tmp/pk-xdp-')
    try {
      execFileSync('clang', ['-O2', '-target', 'bpf', '-x', 'c', '-c', '-', '-o', `${folder}/pass.o`], {
        input: '__attribute__((section("xdp"))) int pass(void *ctx) { return 2; }',
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      execFileSync('ip', ['link', 'set', pair.interface, 'xdp', 'obj', `${folder}/pass.o`, 'sec', 'xdp'])
    } catch {
      context.skip('needs clang and an ip that loads programs')
    } finally {
      rmSync(folder, { recursive: true })
    }
    await expect(bed.open({ interface: pair.interface, take: 'all' })).rejects.toMatchObject({
      code: 'EBUSY',
      remedy: expect.stringContaining('xdp off'),
    })
  })

  test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('%s of the owner leaves no program behind', async (signal) => {
    const pair = bed.pair({ label: 'o5' })
    const owner = start({ interface: pair.interface, take: 'all' })
    expect(await owner.outcome).toBe('open')
    expect(programOn(pair.interface)).toBeGreaterThan(0)
    const id = programOn(pair.interface)
    owner.process.kill(signal)
    await owner.ended
    await until('the program to be gone', () => programOn(pair.interface) === 0)
    expect(xdpLinks().some((link) => link.programId === id)).toBe(false)
    // And the interface, its queue included, can be had again at once.
    const device = await bed.open({ interface: pair.interface, take: 'all' })
    bed.attach(device).detach()
  })

  test('closing detaches the program, and closes every descriptor', async () => {
    const { readdirSync } = await import('node:fs')
    const pair = bed.pair({ label: 'o6', queues: 2 })
    const warm = await bed.open({ interface: pair.interface, take: 'all' })
    await warm.close()
    await pause(5)
    const before = readdirSync('/proc/self/fd').length
    for (let i = 0; i < 10; i++) {
      const device = await bed.open({ interface: pair.interface, take: 'all' })
      bed.attach(device, 0).detach()
      bed.attach(device, 0).detach()
      device.grant(1, createPlainWindow(64))
      await device.close()
    }
    await pause(5)
    expect(programOn(pair.interface)).toBe(0)
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })
})

describe('refusals name the object and the remedy', () => {
  test('no such interface', async () => {
    await expect(bed.open({ interface: 'pk-none', take: 'all' })).rejects.toMatchObject({
      code: 'ENODEV',
      subject: 'pk-none',
      remedy: expect.stringContaining('ip link'),
    })
  })

  test('more queues than the interface has, a bad ring size', async () => {
    const pair = bed.pair({ label: 'r1', queues: 2 })
    const open = (options: object) => bed.open({ interface: pair.interface, take: 'all', ...options })
    await expect(open({ queues: 3 })).rejects.toMatchObject({
      code: 'EINVAL',
      remedy: 'Set queues to a number from 1 to 2',
    })
    await expect(open({ queues: 0 })).rejects.toMatchObject({ code: 'EINVAL' })
    await expect(open({ ringSize: 1000 })).rejects.toMatchObject({ code: 'EINVAL' })
    expect(programOn(pair.interface)).toBe(0)
  })

  test('zero copy on a driver without it', async () => {
    const pair = bed.pair({ label: 'r3' })
    const device = await bed.open({ interface: pair.interface, take: 'all', zeroCopy: true })
    expect(() => device.grant(0, createPlainWindow(64))).toThrow(
      expect.objectContaining({ code: 'ENOTSUP', remedy: 'Set zeroCopy to false' }),
    )
  })

  test('windows that cannot be a UMEM', async () => {
    const pair = bed.pair({ label: 'r4' })
    const device = await bed.open({ interface: pair.interface, take: 'all' })
    const region = createPlainWindow(64).region
    const { createFrameWindow } = await import('@parakernel/hal')
    for (const options of [
      { frameSize: 1024, headroom: 256 },
      { byteOffset: 2048 },
      { headroom: 64 },
      { headroom: 700 },
      { tailroom: 512 },
    ]) {
      const window = createFrameWindow({ region, frameCount: 8, ...options })
      expect(() => device.grant(0, window), JSON.stringify(options)).toThrow(
        expect.objectContaining({ code: 'EINVAL', remedy: expect.any(String) }),
      )
    }
  })

  test('no permission: what is missing', async (context) => {
    const pair = bed.pair({ label: 'r5' })
    if (process.getuid?.() !== 0) context.skip('needs root, to give root up')
    const wrap = ['setpriv', '--bounding-set=-net_raw,-net_admin,-bpf,-sys_admin', '--inh-caps=-all']
    const outcome = await start({ interface: pair.interface, take: 'all' }, { wrap }).outcome
    expect(outcome).toMatch(/^EPERM/)
    expect(outcome).toContain('CAP_BPF')
  })

  test('too little locked memory: how much is needed', async (context) => {
    const pair = bed.pair({ label: 'r6' })
    if (process.getuid?.() !== 0) context.skip('needs root, to give root up')
    const wrap = ['setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-all', 'prlimit', '--memlock=65536:65536']
    const outcome = await start({ interface: pair.interface, take: 'all' }, { wrap }).outcome
    expect(outcome).toMatch(/^ENOMEM/)
    expect(outcome).toContain('ulimit -l 512')
    expect(outcome).toContain('CAP_IPC_LOCK')
  })

  test('a kernel without XDP sockets', () => {
    expect(socketError(97, 'veth0 queue 0')).toMatchObject({
      code: 'ENOTSUP',
      subject: 'veth0 queue 0',
      remedy: expect.stringContaining('CONFIG_XDP_SOCKETS'),
    })
  })
})

test('auto mode falls back to skb mode with a warning, where the driver refuses', async () => {
  // Native XDP on veth takes no MTU above 3506.
  const pair = bed.pair({ label: 'm1', mtu: 4000 })
  await expect(bed.open({ interface: pair.interface, take: 'all', mode: 'native' })).rejects.toMatchObject({
    code: 'ERANGE',
    remedy: expect.stringContaining('3506'),
  })
  const device = await bed.open({ interface: pair.interface, take: 'all' })
  expect(device.mode).toBe('skb')
  expect(bed.warnings).toEqual([expect.stringContaining('skb mode')])
})
