import { closeSync, readSync, writeSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { calls } from '../ffi/calls.ts'
import { type Mapping, mapDescriptor, replaceByEmpty } from '../memory/mmap.ts'
import * as vfio from './constants.ts'
import { VfioContainer } from './container.ts'
import { openDeviceDescriptor, openVfioGroup, requireVfioBound } from './group.ts'
import { type PciDevice, readPciDevice } from './pci.ts'
import { getUint53, request, vfioStruct } from './structs.ts'
import { VfioVectors } from './vectors.ts'

/** Offsets and bits of the PCI configuration space (PCI local bus specification 3.0, section 6.2). */
const PCI_COMMAND = 4
const PCI_COMMAND_MEMORY = 1 << 1
const PCI_COMMAND_MASTER = 1 << 2

/**
 * A PCI device in the hands of this process, alone in an IOMMU domain of its own: it reaches by DMA only what is mapped in `container`.
 * Control path. When the process dies, the kernel resets the device and takes the mappings away.
 */
export class VfioDevice {
  readonly pci: PciDevice
  readonly container: VfioContainer
  readonly vectors: VfioVectors
  private readonly groupFd: number
  private readonly fd: number
  private readonly configOffset: number
  private readonly resettable: boolean
  private readonly bars: Mapping[] = []
  private closed = false

  /** See `openVfioDevice`. */
  constructor(pci: PciDevice, container: VfioContainer, groupFd: number, fd: number) {
    this.pci = pci
    this.container = container
    this.groupFd = groupFd
    this.fd = fd
    const info = vfioStruct(20)
    request(fd, vfio.VFIO_DEVICE_GET_INFO, info, 'ioctl(VFIO_DEVICE_GET_INFO)', pci.address)
    this.resettable = (info.getUint32(4, true) & vfio.VFIO_DEVICE_FLAGS_RESET) !== 0
    this.configOffset = this.region(vfio.VFIO_PCI_CONFIG_REGION_INDEX).offset
    this.vectors = new VfioVectors(fd, pci.address)
  }

  /**
   * Maps a base address register, shared and uncached. Several views of `buffer` may exist, in several threads; after `close` they see
   * ones, as from a device that is gone.
   * @throws ENOTSUP for a register that is absent or cannot be mapped
   */
  mapBar(index: number): Mapping {
    const { offset, size, flags } = this.region(index)
    if (size === 0 || (flags & vfio.VFIO_REGION_INFO_FLAG_MMAP) === 0) {
      throw new ParakernelError('ENOTSUP', `BAR ${index} ${size === 0 ? 'is absent' : 'cannot be mapped'}`, {
        subject: this.pci.address,
      })
    }
    const mapping = mapDescriptor(this.fd, offset, size, `${this.pci.address} BAR ${index}`)
    this.bars.push(mapping)
    return mapping
  }

  readConfig(offset: number, byteLength: 1 | 2 | 4): number {
    const bytes = Buffer.alloc(byteLength)
    readSync(this.fd, bytes, 0, byteLength, this.configOffset + offset)
    return bytes.readUIntLE(0, byteLength)
  }

  writeConfig(offset: number, byteLength: 1 | 2 | 4, value: number): void {
    const bytes = Buffer.alloc(byteLength)
    bytes.writeUIntLE(value, 0, byteLength)
    writeSync(this.fd, bytes, 0, byteLength, this.configOffset + offset)
  }

  /** Lets the device begin transfers of its own, interrupts included, or forbids it. */
  setBusMaster(on: boolean): void {
    const command = this.readConfig(PCI_COMMAND, 2) | PCI_COMMAND_MEMORY
    this.writeConfig(PCI_COMMAND, 2, on ? command | PCI_COMMAND_MASTER : command & ~PCI_COMMAND_MASTER)
  }

  get canReset(): boolean {
    return this.resettable
  }

  /** Function level reset: every register back to its default, bus mastering off. @throws ENOTSUP where the device has none */
  reset(): void {
    request(this.fd, vfio.VFIO_DEVICE_RESET, null, 'ioctl(VFIO_DEVICE_RESET)', this.pci.address)
  }

  /** Bus mastering off, then everything closed; the kernel resets the device. Idempotent. */
  close(): void {
    if (this.closed) return
    this.closed = true
    try {
      this.setBusMaster(false)
    } catch {
      // A device that is gone; what follows takes its reach away.
    }
    this.vectors.close()
    for (const { address, length, buffer } of this.bars) {
      // Another thread may hold a view yet, and must not crash: the address range stays.
      replaceByEmpty(address, length)
      new Uint8Array(buffer).fill(0xff)
    }
    closeSync(this.fd)
    closeSync(this.groupFd)
    this.container.close()
  }

  private region(index: number): { offset: number; size: number; flags: number } {
    const info = vfioStruct(32)
    info.setUint32(8, index, true)
    // A device without that region answers EINVAL.
    if (calls().ioctl(this.fd, vfio.VFIO_DEVICE_GET_REGION_INFO, info) < 0) return { offset: 0, size: 0, flags: 0 }
    const subject = `${this.pci.address} region ${index}`
    return { flags: info.getUint32(4, true), size: getUint53(info, 16, subject), offset: getUint53(info, 24, subject) }
  }
}

/**
 * Opens a PCI device that is bound to vfio-pci. It is quiet: bus mastering is off.
 * @throws ENODEV, EINVAL for a wrong address; ENOTSUP without IOMMU or VFIO; EBUSY when the kernel's driver, a mounted file system or
 * another process has it; EACCES, EPERM
 */
export function openVfioDevice(address: string): VfioDevice {
  const pci = readPciDevice(address)
  const group = requireVfioBound(pci)
  const container = new VfioContainer(address)
  let groupFd = -1
  let fd = -1
  try {
    groupFd = openVfioGroup(pci, group, container)
    container.setIommu()
    fd = openDeviceDescriptor(groupFd, address)
    const device = new VfioDevice(pci, container, groupFd, fd)
    device.setBusMaster(false)
    return device
  } catch (error) {
    if (fd >= 0) closeSync(fd)
    if (groupFd >= 0) closeSync(groupFd)
    container.close()
    throw error
  }
}
