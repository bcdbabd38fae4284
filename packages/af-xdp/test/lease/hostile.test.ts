import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfinedProgram, createFrameWindow, type FrameWindow } from '@parakernel/hal'
import { closeRegion, createMemfdRegion, PacketSocket, steerPortsToQueues, type VethPair } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AfXdpDevice, QueueLease } from '../../src/index.ts'
import { ipv4Packet } from '../packets.ts'
import { drain, Testbed, until } from '../testbed.ts'
import { labMissing } from '../veth-fixture.ts'

const SOURCE = new URL('hostile.c', import.meta.url).pathname
const LAUNCHER = `
  const { host } = await import('@parakernel/linux')
  host.becomeConfined({ ...JSON.parse(process.argv[1]), parent: process.ppid })`
const FRAMES = 256
const HEAP_BYTES = 65_536
const PORT_BASE = 7100

let bed: Testbed
let pair: VethPair
let device: AfXdpDevice
let folder: string
const closers: (() => void)[] = []

beforeEach(async (context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  if (process.getuid?.() !== 0) context.skip('needs root, to give root up')
  folder = mkdtempSync(join(tmpdir(), 'pk-hostile-'))
  closers.push(() => rmSync(folder, { recursive: true }))
  execFileSync('chmod', ['755', folder])
  try {
    execFileSync('clang', ['-O1', '-o', join(folder, 'hostile'), SOURCE], { stdio: 'pipe' })
  } catch {
    context.skip('needs clang and the headers of the kernel')
  }
  bed = new Testbed()
  pair = bed.pair({ label: 'hc', queues: 2 })
  const steering = steerPortsToQueues(pair, { portBase: PORT_BASE })
  closers.push(() => steering.detach())
  device = await bed.open({ interface: pair.interface, take: 'all', ringSize: 256 })
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) close()
  await bed?.close()
})

function ownWindow(): FrameWindow {
  const region = createMemfdRegion(FRAMES * 2048 + HEAP_BYTES, 'hostile')
  closers.push(() => closeRegion(region))
  return createFrameWindow({ region, frameCount: FRAMES })
}

/** A process of user `uid` with `descriptors`, and what it printed until now, line by line. */
function confined(uid: number, descriptors: number[], file: string, args: string[]) {
  const program: Omit<ConfinedProgram, 'parent'> = {
    file,
    args,
    environment: {},
    descriptors: 3 + descriptors.length,
    user: { uid, gid: uid },
  }
  const child: ChildProcess = spawn(
    process.execPath,
    ['--conditions=source', '--input-type=module', '-e', LAUNCHER, JSON.stringify(program)],
    { stdio: ['ignore', 'pipe', 'inherit', ...descriptors], cwd: new URL('../..', import.meta.url).pathname },
  )
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const found = new Map<string, number>()
  let text = ''
  child.stdout?.on('data', (data) => {
    text += data
    for (const line of text.split('\n')) found.set(line.split(' ')[0], Number(line.split(' ')[1]))
  })
  closers.push(() => child.kill('SIGKILL'))
  return { child, found, ended }
}

const EPERM = 1
const EACCES = 13
const EBUSY = 16
const SIGBUS = 7

test('raw system calls on what it inherited reach nothing else, are counted, and disturb nobody', async () => {
  const lease: QueueLease = device.lease(0, ownWindow())
  const neighbour = bed.attach(device, 1)
  const peer = pair.inside(() => new PacketSocket(pair.peer))
  closers.push(() => peer.close())
  const image = join(folder, 'image')
  writeFileSync(image, 'of somebody else', { mode: 0o600 })

  const sibling = confined(61_201, [], '/bin/sleep', ['600'])
  const [socket, status] = lease.descriptors
  const region = lease.window.region
  const hostile = confined(61_200, [socket, status, region.fd], join(folder, 'hostile'), [
    pair.interface,
    '1',
    '256',
    String(FRAMES * 2048),
    String(region.byteLength),
    image,
    String(process.pid),
    String(sibling.child.pid),
  ])

  // The neighbour's traffic goes on meanwhile: every packet arrives.
  let sent = 0
  let arrived = 0
  await until(
    'the end of all attacks',
    () => {
      peer.send(ipv4Packet({ destinationPort: PORT_BASE + 1 }))
      sent++
      arrived += drain(neighbour)
      return hostile.found.has('done')
    },
    40_000,
  )
  await until('the last packet of the neighbour', () => {
    arrived += drain(neighbour)
    return arrived >= sent
  })
  expect(arrived).toBe(sent)
  expect(device.queueStatistics(1)).toMatchObject({ rxPackets: sent, txInvalidDescriptors: 0 })

  const { found } = hostile
  expect(Object.fromEntries(found)).toMatchObject({
    'bind-again': EBUSY,
    'another-umem': EBUSY,
    'another-socket': EPERM,
    'raw-socket': EPERM,
    'load-program': EPERM,
    'find-map': EPERM,
    'maps-refused': 64,
    'programs-refused': 64,
    'interface-down': EPERM,
    'become-root': EPERM,
    'become-root-group': EPERM,
    'join-groups': EPERM,
    'start-process': EPERM,
    'open-image': EACCES,
    'kill-control': EPERM,
    'trace-control': EPERM,
    'read-control': EPERM,
    'open-memory-control': EACCES,
    'open-descriptor-control': EACCES,
    'take-descriptor-control': EPERM,
    'kill-sibling': EPERM,
    'trace-sibling': EPERM,
    'read-sibling': EPERM,
    'open-memory-sibling': EACCES,
    'open-descriptor-sibling': EACCES,
    'take-descriptor-sibling': EPERM,
    shrink: EPERM,
    grow: EPERM,
    seal: EPERM,
    'shrink-status': EPERM,
    'touch-beyond': SIGBUS,
    // The kernel takes a bad descriptor out of the ring, and does not send it.
    consumed: 6,
  })
  expect([EACCES, 2]).toContain(found.get('open-disks'))
  // Its bad descriptors are counted by the kernel, and reported with the queue's; its lies about itself are not believed.
  expect(lease.refused()['txInvalidDescriptors']).toBeGreaterThanOrEqual(6)
  const statistics = device.queueStatistics(0)
  expect(statistics.txInvalidDescriptors).toBeGreaterThanOrEqual(6)
  for (const [name, value] of Object.entries(statistics)) {
    expect(Number.isSafeInteger(value) && value >= 0, `${name} ${value}`).toBe(true)
  }

  // A packet for it finds garbage for frames: dropped, and counted as well.
  for (let i = 0; i < 20; i++) peer.send(ipv4Packet({ destinationPort: PORT_BASE }))
  await until('a drop for want of a frame', () => device.queueStatistics(0).rxDroppedNoFrame > 0)

  // Killed, its queue is another's again; the sibling lives.
  lease.revoke()
  hostile.child.kill('SIGKILL')
  await hostile.ended
  lease.close()
  expect(sibling.child.exitCode).toBe(null)
  const counted = device.queueStatistics(0)
  expect(counted.txInvalidDescriptors).toBeGreaterThanOrEqual(6)
  const again = bed.attach(device, 0)
  peer.send(ipv4Packet({ destinationPort: PORT_BASE }))
  let received = 0
  await until('a packet on the queue that was the enemy', () => {
    received += drain(again)
    return received > 0
  })
})
