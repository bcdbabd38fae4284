import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createPlainRegion, type DmaMapping } from '@parakernel/hal'
import { bindToVfio, createMemfdRegion, readEventFd, readPciDevice } from '@parakernel/linux'
import { type NvmeTransport, openVfioTransport } from '@parakernel/nvme'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  blockDeviceOf,
  KERNEL_SERIAL,
  kernelController,
  returnVfioController,
  VFIO_SERIAL,
  vfioController,
} from '../../support/controllers.ts'
import { RawController } from '../../support/raw-controller.ts'

const text = (mapping: DmaMapping, from: number, to: number) =>
  Buffer.from(new Uint8Array(mapping.region.buffer, mapping.byteOffset + from, to - from))
    .toString('latin1')
    .trim()
const bytes = (mapping: DmaMapping) => new Uint8Array(mapping.region.buffer, mapping.byteOffset, mapping.byteLength)
const faults = () =>
  execFileSync('dmesg', { encoding: 'utf8' })
    .split('\n')
    .filter((line) => /DMAR: \[DMA (Read|Write)/.test(line))

function failure(body: () => unknown) {
  try {
    body()
  } catch (error) {
    return error as { code: string; message: string; remedy?: string }
  }
  throw new Error('it did not fail')
}

describe('vfio: what is refused', () => {
  const mounted = '/tmp/mounted'

  test('a controller of the kernel driver, with the commands that bind it', () => {
    const address = kernelController(KERNEL_SERIAL)!.address
    const error = failure(() => openVfioTransport(address))
    expect(error).toMatchObject({ code: 'EBUSY', subject: address })
    expect(error.message).toContain("the kernel's driver nvme")
    expect(error.remedy).toContain(`echo vfio-pci > /sys/bus/pci/devices/${address}/driver_override`)
  })

  test('one with a mounted file system, which stays with its driver', () => {
    const { address } = kernelController(KERNEL_SERIAL)!
    const device = blockDeviceOf(KERNEL_SERIAL)
    execFileSync('mkfs.ext4', ['-F', '-q', device], { stdio: 'ignore' })
    mkdirSync(mounted)
    execFileSync('mount', ['-t', 'ext4', device, mounted])
    try {
      for (const attempt of [() => bindToVfio(address), () => openVfioTransport(address)]) {
        const error = failure(attempt)
        expect(error).toMatchObject({ code: 'EBUSY', subject: address })
        expect(error.message).toContain(`is mounted on ${mounted}`)
        expect(error.remedy).toContain('Unmount')
      }
      expect(readPciDevice(address).driver).toBe('nvme')
    } finally {
      execFileSync('umount', [mounted])
    }
  })

  test('what is no controller, no device, no address', () => {
    const wrong = failure(() => openVfioTransport('0000:00:00.0'))
    expect(wrong).toMatchObject({ code: 'ENODEV', subject: '0000:00:00.0' })
    expect(wrong.message).toContain('class 060000')
    expect(wrong.remedy).toContain(kernelController(KERNEL_SERIAL)!.address)
    expect(failure(() => openVfioTransport('0000:1f:1f.7'))).toMatchObject({ code: 'ENODEV' })
    expect(failure(() => openVfioTransport('../../nvme0'))).toMatchObject({ code: 'EINVAL' })
  })

  test('a user who may not open the group', () => {
    const address = vfioController()
    process.seteuid!(65534)
    try {
      const error = failure(() => openVfioTransport(address))
      expect(error).toMatchObject({ code: 'EACCES', subject: address })
      expect(error.remedy).toContain('/dev/vfio/')
    } finally {
      process.seteuid!(0)
    }
  })

  test('a second holder', () => {
    const transport = openVfioTransport(vfioController())
    try {
      const error = failure(() => openVfioTransport(vfioController()))
      expect(error).toMatchObject({ code: 'EBUSY', subject: transport.name })
      expect(error.remedy).toContain('Another process')
    } finally {
      transport.close()
    }
  })

  test('more memory than the user may lock', () => {
    const transport = openVfioTransport(vfioController())
    const region = createPlainRegion(64 << 20)
    process.seteuid!(65534)
    try {
      const error = failure(() => transport.memory.map(region, 0, region.byteLength))
      expect(error).toMatchObject({ code: 'ENOMEM' })
      expect(error.remedy).toMatch(/ulimit -l \d+/)
    } finally {
      process.seteuid!(0)
    }
    // Nothing is left of the refused mapping: the same again works.
    transport.memory.unmap(transport.memory.map(region, 0, region.byteLength))
    transport.close()
  })
})

describe('vfio: a controller', () => {
  let transport: NvmeTransport
  let controller: RawController
  let descriptors: number[] = []

  beforeAll(() => {
    transport = openVfioTransport(vfioController())
    controller = new RawController(transport)
  })

  afterAll(() => transport.close())

  test('shows its registers', () => {
    // QEMU 7.2: version 1.4, 2048 entries a queue.
    expect(transport.registers.read32(8)).toBe(0x0001_0400)
    expect(transport.registers.read32(0) & 0xffff).toBe(2047)
    expect(transport.registers.byteLength).toBeGreaterThanOrEqual(0x2000)
  })

  test('writes the identify page into memory that was mapped', () => {
    const page = transport.memory.allocate(4096)
    expect(controller.identify(page.busAddress).status).toBe(0)
    expect(text(page, 4, 24)).toBe(VFIO_SERIAL)
    expect(text(page, 24, 64)).toBe('QEMU NVMe Ctrl')
    transport.memory.unmap(page)
  })

  test('reaches both kinds of region, at every page', () => {
    for (const region of [createPlainRegion(1 << 20), createMemfdRegion(1 << 20, 'lab')]) {
      const mapping = transport.memory.map(region, 65536, 131072)
      for (const offset of [0, 4096, 131072 - 4096]) {
        expect(controller.identify(mapping.busAddress + offset).status).toBe(0)
        expect(text({ ...mapping, byteOffset: mapping.byteOffset + offset }, 4, 24)).toBe(VFIO_SERIAL)
      }
      expect(new Uint8Array(region.buffer, 0, 65536).every((byte) => byte === 0)).toBe(true)
      transport.memory.unmap(mapping)
    }
    expect(failure(() => transport.memory.map(createPlainRegion(65536), 512, 4096))).toMatchObject({ code: 'EINVAL' })
  })

  test('gives pages out once, zeroed, and takes them back', () => {
    const taken = Array.from({ length: 600 }, () => transport.memory.allocate(4096))
    expect(new Set(taken.map(({ busAddress }) => busAddress)).size).toBe(600)
    for (const page of taken) bytes(page).fill(0xa5)
    for (const page of taken) transport.memory.unmap(page)
    const again = transport.memory.allocate(600 * 4096)
    expect(bytes(again).every((byte) => byte === 0)).toBe(true)
    transport.memory.unmap(again)
    transport.memory.unmap(again)
  })

  // The device model answers such a command with success, so the memory and the kernel's log are what counts.
  test('cannot write where nothing is mapped', () => {
    const before = faults().length
    controller.identify(0x30_0000_0000)
    expect(faults().length).toBeGreaterThan(before)
  })

  test('cannot write to memory after it was unmapped', () => {
    const region = createPlainRegion(65536)
    const mapping = transport.memory.map(region, 0, 65536)
    expect(controller.identify(mapping.busAddress).status).toBe(0)
    transport.memory.unmap(mapping)
    bytes(mapping).fill(0x5a)
    controller.identify(mapping.busAddress)
    expect(bytes(mapping).every((byte) => byte === 0x5a)).toBe(true)
    expect(faults().at(-1)).toContain(`fault addr 0x${mapping.busAddress.toString(16)}`)
  })

  test('moves blocks both ways', () => {
    // The controller refuses a vector for a queue while MSI-X is off.
    descriptors = [0, 1, 2].map((vector) => connect(transport, vector))
    controller.createQueuePair(1)
    const page = transport.memory.allocate(8192)
    bytes(page).fill(0x37, 0, 4096)
    controller.start(1, 2, 100, 1, page.busAddress)
    expect(controller.complete().status).toBe(0)
    controller.start(2, 2, 100, 1, page.busAddress + 4096)
    expect(controller.complete().status).toBe(0)
    expect(
      bytes(page)
        .subarray(4096)
        .every((byte) => byte === 0x37),
    ).toBe(true)
    transport.memory.unmap(page)
  })

  test('raises the interrupt of a vector at its eventfd, and no other', async () => {
    const { interrupts } = transport
    expect(interrupts.vectors).toBeGreaterThanOrEqual(8)
    const [admin = -1, io = -1, idle = -1] = descriptors
    // The test before this one has left its interrupts.
    for (const fd of descriptors) readEventFd(fd)
    const page = transport.memory.allocate(4096)
    for (let round = 0; round < 3; round++) {
      controller.start(2, 2, round, 1, page.busAddress)
      await readable(io)
      expect(controller.complete().status).toBe(0)
    }
    expect(readEventFd(admin)).toBe(false)
    expect(readEventFd(idle)).toBe(false)
    // Without the eventfd it is polled, and nothing else changes.
    interrupts.disconnect(1)
    controller.start(2, 2, 0, 1, page.busAddress)
    expect(controller.complete().status).toBe(0)
    expect(failure(() => connect(transport, interrupts.vectors))).toMatchObject({ code: 'EINVAL' })
    transport.memory.unmap(page)
  })

  test('is reset, and works again', () => {
    expect(transport.registers.read32(0x1c) & 1).toBe(1)
    transport.reset!()
    expect(transport.registers.read32(0x1c) & 1).toBe(0)
    controller = new RawController(transport)
    const page = transport.memory.allocate(4096)
    expect(controller.identify(page.busAddress).status).toBe(0)
    expect(text(page, 4, 24)).toBe(VFIO_SERIAL)
    transport.memory.unmap(page)
  })
})

describe('vfio: the end', () => {
  test('after close a register reads as ones, and the controller opens again', () => {
    const first = openVfioTransport(vfioController())
    const { registers } = first
    first.close()
    first.close()
    expect(registers.read32(0)).toBe(0xffff_ffff)
    registers.write32(0x1000, 1)
    const second = openVfioTransport(vfioController())
    expect(second.registers.read32(8)).toBe(0x0001_0400)
    second.close()
  })

  test('a killed holder leaves a controller that starts anew', async () => {
    const holder = spawn(process.execPath, ['./programs/hold-controller.js', vfioController()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = await new Promise<string>((resolve, reject) => {
      holder.once('exit', (code) => reject(new Error(`the holder ended with ${code}`)))
      holder.stdout.once('data', (data: Buffer) => resolve(data.toString()))
    })
    expect(said).toBe('busy\n')
    const ended = new Promise((resolve) => holder.once('exit', (_, signal) => resolve(signal)))
    holder.kill('SIGKILL')
    expect(await ended).toBe('SIGKILL')
    const transport = openVfioTransport(vfioController())
    // The kernel has reset it: nothing of the dead process goes on.
    expect(transport.registers.read32(0x1c) & 1).toBe(0)
    const controller = new RawController(transport)
    const page = transport.memory.allocate(4096)
    expect(controller.identify(page.busAddress).status).toBe(0)
    transport.close()
  })

  test('it returns to the driver of the kernel, with its block devices', async () => {
    const address = vfioController()
    expect(kernelController(VFIO_SERIAL)).toBe(undefined)
    await returnVfioController()
    expect(kernelController(VFIO_SERIAL)!.address).toBe(address)
    expect(bindToVfio(address).driver).toBe('vfio-pci')
  })
})

function connect({ interrupts }: NvmeTransport, vector: number): number {
  const share = interrupts.connect(vector, new SharedArrayBuffer(4))
  return share.kind === 'descriptor' ? share.fd : -1
}

/** Waits for an eventfd without a thread, and resets it. */
async function readable(fd: number): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!readEventFd(fd)) {
    if (performance.now() > deadline) throw new Error('no interrupt within twenty seconds')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
