import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { createPlainWindow } from '@parakernel/hal'
import { queryLink } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TapDevice, type TapOptions } from '../src/index.ts'
import { labMissing } from './bridge-fixture.ts'
import { Testbed } from './testbed.ts'

const entry = new URL('../src/index.ts', import.meta.url).href
const NOBODY = 65_534

let bed: Testbed
const children: ReturnType<typeof spawn>[] = []
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await bed?.close()
})

/** A process that opens a device inside the namespace and then waits; resolves to `open`, or to the error. */
function child(options: TapOptions, identity: readonly string[] = []): Promise<string> {
  const code = `
    const { backend } = await import(${JSON.stringify(entry)})
    const { MonotonicClock } = await import('@parakernel/hal')
    try {
      const device = await backend.open(${JSON.stringify(options)}, { clock: new MonotonicClock() })
      console.log('open ' + device.linkUp)
      setInterval(() => {}, 1000)
    } catch (error) {
      console.log(error.code + ' ' + error.message)
    }`
  const node = [process.execPath, '--conditions=source', '--input-type=module', '-e', code]
  const [file, args] = bed.lab.command('setpriv', ...identity, ...node)
  const started = spawn(file, args, {
    cwd: new URL('..', import.meta.url).pathname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(started)
  return new Promise((resolve) => {
    started.stdout.once('data', (data) => resolve(String(data).trim()))
    started.once('exit', (status) => resolve(`exit ${status}`))
  })
}

const inside = <T>(body: () => T): T => bed.lab.inside(body)
/** Root without a single capability: an owner of files and interfaces, and nothing more. */
const POWERLESS = ['--bounding-set', '-all', '--inh-caps', '-all']
const STRANGER = ['--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', ...POWERLESS]

describe('an interface has one owner', () => {
  test.for([1, 3])('a second process gets EBUSY, with %i queues', async (queues) => {
    const first = child({ interface: 'tap0', queues })
    expect(await first).toBe('open true')
    await expect(bed.open({ queues })).rejects.toMatchObject({
      code: 'EBUSY',
      subject: 'tap0',
      remedy: expect.stringContaining('another name'),
    })
    expect(inside(() => queryLink('tap0').tun?.queues) ?? 1).toBe(queues)
  })

  test('a second device of this process too', async () => {
    await bed.open({ queues: 2 })
    await expect(bed.open({ queues: 2 })).rejects.toMatchObject({ code: 'EBUSY' })
  })

  test('and is free when the owner is killed', async () => {
    expect(await child({ interface: 'tap0', queues: 2, persistent: true })).toBe('open true')
    const [owner] = children
    const gone = new Promise((resolve) => owner.once('exit', resolve))
    owner.kill('SIGKILL')
    await gone
    const device = await bed.open({ queues: 2 })
    expect(device.queues).toBe(2)
  })
})

describe('a persistent interface', () => {
  test('stays as it was made, and goes when it was not asked for', async () => {
    const own = await bed.open({ interface: 'own0' })
    await own.close()
    expect(() => inside(() => queryLink('own0'))).toThrow(expect.objectContaining({ code: 'ENODEV' }))

    const kept = await bed.open({ interface: 'kept0', persistent: true, mtu: 1400, ringSize: 64 })
    const { mac } = kept
    await kept.close()
    const again = await bed.open({ interface: 'kept0', create: false })
    expect(again).toMatchObject({ mac, mtu: 1400, capabilities: { ringSize: 64, maxPacket: 1414 } })
    await again.close()
    expect(inside(() => queryLink('kept0').tun?.persistent)).toBe(true)
  })

  test('that was made for one queue has no second', async () => {
    bed.lab.ip('tuntap add one0 mode tap vnet_hdr')
    await expect(bed.open({ interface: 'one0', queues: 2 })).rejects.toMatchObject({
      code: 'EINVAL',
      remedy: expect.stringContaining('multi_queue'),
    })
    expect((await bed.open({ interface: 'one0' })).linkUp).toBe(true)
  })

  test('of a user is used without privileges, and nothing else is', async () => {
    bed.lab.ip(
      'tuntap add mine0 mode tap user 0 vnet_hdr',
      'link set mine0 addrgenmode none',
      'link set mine0 up',
      'tuntap add mine1 mode tap user 0 vnet_hdr',
      `tuntap add theirs0 mode tap user ${NOBODY} vnet_hdr`,
    )
    expect(await child({ interface: 'mine0' }, POWERLESS)).toBe('open true')
    const refused = /^EPERM \w+: no permission to create the interface, or to use one of another user .*CAP_NET_ADMIN/
    expect(await child({ interface: 'new0' }, POWERLESS)).toMatch(refused)
    expect(await child({ interface: 'theirs0' }, POWERLESS)).toMatch(refused)
    // It may be used, but not be brought up.
    expect(await child({ interface: 'mine1' }, POWERLESS)).toMatch(/^EPERM mine1: .*CAP_NET_ADMIN/)
  })

  test('needs access to the driver', async (context) => {
    if ((statSync('/dev/net/tun').mode & 0o006) === 0o006) context.skip('every user may open /dev/net/tun here')
    expect(await child({ interface: 'new0' }, STRANGER)).toMatch(/^EACCES new0: .*\/dev\/net\/tun/)
  })
})

describe('what cannot be opened', () => {
  const cases: readonly (readonly [Partial<TapOptions>, string, RegExp])[] = [
    [{ interface: 'none0', create: false }, 'ENODEV', /ip tuntap add none0/],
    [{ interface: 'lo' }, 'EINVAL', /not a TAP interface/],
    [{ interface: 'a-name-that-is-too-long' }, 'EINVAL', /1 to 15 characters/],
    [{ interface: 'tap%d' }, 'EINVAL', /percent/],
    [{ interface: '' }, 'EINVAL', /no name/],
    [{ queues: 0 }, 'EINVAL', /1 to 256/],
    [{ queues: 257 }, 'EINVAL', /1 to 256/],
    [{ queues: 1.5 }, 'EINVAL', /1 to 256/],
    [{ mtu: 10 }, 'EINVAL', /68 to 65521/],
    [{ ringSize: 0 }, 'EINVAL', /1 to 65536/],
    [{ mac: '01:00:00:00:00:01' }, 'EINVAL', /group/],
    [{ mac: 'nonsense' }, 'EINVAL', /Ethernet address/],
    [{ namespace: 'pk-none' }, 'ENOENT', /ip netns/],
    [{ hostAddresses: ['10.0.0.1'] }, 'EINVAL', /prefix length/],
  ]
  test.for(cases)('%j: %s', async ([options, code, text]) => {
    await expect(bed.open(options)).rejects.toMatchObject({ code, message: expect.stringMatching(text) })
    // Nothing is left behind that keeps a name.
    expect(() => inside(() => queryLink('tap0'))).toThrow(expect.objectContaining({ code: 'ENODEV' }))
  })

  test('windows whose frames are too small for a packet, and queues that are not there', async () => {
    const device = await bed.open({ mtu: 9000 })
    expect(() => device.grant(0, createPlainWindow(64, { frameSize: 320 }))).toThrow(
      expect.objectContaining({ code: 'EINVAL', remedy: expect.stringContaining('larger frames') }),
    )
    for (const queue of [-1, 1, 0.5]) {
      expect(() => device.grant(queue, createPlainWindow(64))).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    }
    expect(() => device.queueStatistics(7)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })
})

test('the address of our end is ours, and always the same', async () => {
  const device = await bed.open({ persistent: true })
  expect(device).toBeInstanceOf(TapDevice)
  const kernel = /link\/ether (\S+)/.exec(bed.lab.run('ip', 'link', 'show', 'tap0'))?.[1]
  expect(device.mac).not.toBe(kernel)
  expect(Number.parseInt(device.mac.slice(0, 2), 16) & 3).toBe(2)
  await device.close()
  expect((await bed.open()).mac).toBe(device.mac)
  const given = await bed.open({ interface: 'tap1', mac: '02:00:00:00:00:07' })
  expect(given.mac).toBe('02:00:00:00:00:07')
})
