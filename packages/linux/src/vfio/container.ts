import { closeSync, openSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { ENODEV, ENOENT, ENOMEM, EOPNOTSUPP, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import * as vfio from './constants.ts'
import { memlockRemedy } from './memlock.ts'
import { request, vfioStruct } from './structs.ts'

/** Bus addresses that the IOMMU can translate; both ends belong to it. */
export interface IovaRange {
  readonly first: number
  readonly last: number
}

const EFAULT = 14

/** One IOMMU domain: the devices of its groups see exactly what was mapped here. Control path. */
export class VfioContainer {
  readonly fd: number
  /** Smallest page of the IOMMU, in bytes. */
  pageSize = 4096
  ranges: readonly IovaRange[] = []
  private readonly subject: string

  /** @throws ENOTSUP where the kernel has no VFIO, EACCES, EPERM */
  constructor(subject: string) {
    this.subject = subject
    this.fd = openContainer(subject)
  }

  /** Once the first group is in it. @throws EPERM where interrupts are not remapped */
  setIommu(): void {
    request(
      this.fd,
      vfio.VFIO_SET_IOMMU,
      vfio.VFIO_TYPE1v2_IOMMU,
      'ioctl(VFIO_SET_IOMMU)',
      this.subject,
      'The IOMMU must remap interrupts too: enable it in the firmware, or load vfio_iommu_type1 with allow_unsafe_interrupts=1',
    )
    this.readInfo()
  }

  /**
   * Makes `byteLength` bytes at `address` readable and writable at `iova`; whole pages all of them. The pages are pinned.
   * @throws ENOMEM at the limit of locked memory; ENOTSUP for memory that cannot be pinned; EEXIST for an address in use
   */
  map(address: number, iova: number, byteLength: number, subject = this.subject): void {
    const argument = vfioStruct(32)
    argument.setUint32(4, vfio.VFIO_DMA_MAP_FLAG_READ | vfio.VFIO_DMA_MAP_FLAG_WRITE, true)
    argument.setBigUint64(8, BigInt(address), true)
    argument.setBigUint64(16, BigInt(iova), true)
    argument.setBigUint64(24, BigInt(byteLength), true)
    if (calls().ioctl(this.fd, vfio.VFIO_IOMMU_MAP_DMA, argument) === 0) return
    const errno = foreign().errno()
    const call = 'ioctl(VFIO_IOMMU_MAP_DMA)'
    if (errno === ENOMEM) throw systemError(errno, { call, subject, remedy: memlockRemedy(byteLength) })
    // Pages of a file system that must not be pinned for long.
    if (errno === EFAULT || errno === EOPNOTSUPP) {
      throw new ParakernelError('ENOTSUP', 'the kernel does not let a device pin it', {
        subject,
        remedy: 'Use a region of plain memory or of a memfd',
      })
    }
    throw systemError(errno, { call, subject })
  }

  /** The device can reach nothing there any more. Covers whole mappings, never a part of one. */
  unmap(iova: number, byteLength: number): void {
    const argument = vfioStruct(24)
    argument.setBigUint64(8, BigInt(iova), true)
    argument.setBigUint64(16, BigInt(byteLength), true)
    request(this.fd, vfio.VFIO_IOMMU_UNMAP_DMA, argument, 'ioctl(VFIO_IOMMU_UNMAP_DMA)', this.subject)
  }

  /** Mappings go with it. */
  close(): void {
    closeSync(this.fd)
  }

  private readInfo(): void {
    const call = 'ioctl(VFIO_IOMMU_GET_INFO)'
    // The first answer says how long the second one is.
    const short = vfioStruct(24)
    request(this.fd, vfio.VFIO_IOMMU_GET_INFO, short, call, this.subject)
    const info = vfioStruct(Math.max(24, short.getUint32(0, true)))
    request(this.fd, vfio.VFIO_IOMMU_GET_INFO, info, call, this.subject)
    const sizes = info.getBigUint64(8, true)
    this.pageSize = Number(sizes & -sizes) || 4096
    this.ranges = iovaRanges(info)
  }
}

function openContainer(subject: string): number {
  let fd: number
  try {
    fd = openSync('/dev/vfio/vfio', 'r+')
  } catch (cause) {
    const errno = -((cause as { errno?: number }).errno ?? -5)
    if (errno !== ENOENT && errno !== ENODEV) {
      throw systemError(errno, {
        call: 'open /dev/vfio/vfio',
        subject,
        remedy: 'Run as root, or give the user read and write access to /dev/vfio/vfio',
        cause,
      })
    }
    throw new ParakernelError('ENOTSUP', 'the kernel has no VFIO', {
      subject,
      remedy: 'Run modprobe vfio-pci as root, or use the io-uring backend on the block device',
      cause,
    })
  }
  const version = calls().ioctl(fd, vfio.VFIO_GET_API_VERSION, null)
  if (version === vfio.VFIO_API_VERSION && calls().ioctl(fd, vfio.VFIO_CHECK_EXTENSION, vfio.VFIO_TYPE1v2_IOMMU) === 1)
    return fd
  closeSync(fd)
  throw new ParakernelError('ENOTSUP', `VFIO of version ${version} without a type 1 IOMMU`, {
    subject,
    remedy: 'Run modprobe vfio_iommu_type1 as root, on a machine with an IOMMU',
  })
}

/** The chain of capabilities behind the fixed part; older kernels have none, and then 39 bits hold everywhere. */
function iovaRanges(info: DataView): IovaRange[] {
  const ranges: IovaRange[] = []
  if ((info.getUint32(4, true) & vfio.VFIO_IOMMU_INFO_CAPS) !== 0) {
    for (let at = info.getUint32(16, true); at !== 0; at = info.getUint32(at + 4, true)) {
      if (info.getUint16(at, true) !== vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) continue
      const count = info.getUint32(at + 8, true)
      for (let i = 0; i < count; i++) {
        const first = Number(info.getBigUint64(at + 16 + 16 * i, true))
        const last = Number(info.getBigUint64(at + 24 + 16 * i, true))
        if (first < Number.MAX_SAFE_INTEGER) ranges.push({ first, last: Math.min(last, Number.MAX_SAFE_INTEGER) })
      }
    }
  }
  return ranges.length === 0
    ? [
        { first: 0, last: 0xfedf_ffff },
        { first: 0xfef0_0000, last: 2 ** 39 - 1 },
      ]
    : ranges
}
