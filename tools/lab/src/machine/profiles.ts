import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const MiB = 1 << 20

/** A set of devices. Images are made afresh in `folder`, sparse. */
export interface Profile {
  readonly name: string
  readonly description: string
  /** Has a multi-queue NIC, where this machine can make one (see `createCable`). */
  readonly cable?: boolean
  /** Makes the images and answers what QEMU is to be told about the devices on them. */
  devices(folder: string): string[]
}

/** Serial numbers: a controller is found by its own, because the kernel's numbering is not stable. */
export const VFIO_SERIAL = 'LABVFIO'
export const KERNEL_SERIAL = 'LABKERN'

/** Remapping of DMA and of interrupts, without which vfio-pci refuses a device. Caching mode lets QEMU see each change. */
const IOMMU = ['-device', 'intel-iommu,intremap=on,caching-mode=on']

function image(folder: string, name: string, bytes: number): string {
  const file = join(folder, name)
  writeFileSync(file, '')
  truncateSync(file, bytes)
  return file
}

/** `cache=unsafe`: the image dies with the run, so that no flush of the guest needs to reach the host's disk. */
function drive(id: string, file: string, prefix = ''): string[] {
  return ['-drive', `file=${prefix}${file},if=none,id=${id},format=raw,cache=unsafe`]
}

const devices: Profile = {
  name: 'devices',
  description:
    'two NVMe controllers (two namespaces for VFIO, one for the kernel), an NVDIMM, NICs of one and of four queues',
  cable: true,
  devices: (folder) => [
    ...IOMMU,
    ...['-device', `nvme,id=c0,serial=${VFIO_SERIAL},max_ioqpairs=8,mdts=7`],
    ...drive('d0', image(folder, 'nvme0.img', 64 * MiB)),
    ...['-device', 'nvme-ns,bus=c0,drive=d0,nsid=1,logical_block_size=512,physical_block_size=512'],
    ...drive('d1', image(folder, 'nvme1.img', 64 * MiB)),
    ...['-device', 'nvme-ns,bus=c0,drive=d1,nsid=2,logical_block_size=4096,physical_block_size=4096'],
    ...['-device', `nvme,id=c1,serial=${KERNEL_SERIAL},max_ioqpairs=8`],
    ...drive('d2', image(folder, 'nvme2.img', 128 * MiB)),
    ...['-device', 'nvme-ns,bus=c1,drive=d2,nsid=1,logical_block_size=512,physical_block_size=512'],
    ...['-object', `memory-backend-file,id=pm0,share=on,mem-path=${image(folder, 'pmem0.img', 128 * MiB)},size=128M`],
    ...['-device', 'nvdimm,id=nv0,memdev=pm0'],
    ...['-netdev', 'hubport,hubid=0,id=h0', '-device', 'virtio-net-pci,netdev=h0,mac=02:00:00:00:00:01,romfile='],
    ...['-netdev', 'hubport,hubid=0,id=h1', '-device', 'virtio-net-pci,netdev=h1,mac=02:00:00:00:00:02,romfile='],
  ],
}

/** Sectors that fail: each of them once, so that a second try shows that nothing else was harmed. */
const BLKDEBUG = `
[inject-error]
event = "read_aio"
errno = "5"
sector = "2048"
once = "on"

[inject-error]
event = "read_aio"
errno = "5"
sector = "6144"
once = "on"

[inject-error]
event = "write_aio"
errno = "5"
sector = "4096"
once = "on"
`

const faults: Profile = {
  name: 'faults',
  description: 'an NVMe controller with a controller memory buffer, a namespace whose sectors fail, and a zoned one',
  devices: (folder) => {
    const rules = join(folder, 'blkdebug.conf')
    writeFileSync(rules, BLKDEBUG)
    return [
      ...IOMMU,
      ...['-device', `nvme,id=c0,serial=${VFIO_SERIAL},max_ioqpairs=8,cmb_size_mb=4`],
      ...drive('d0', image(folder, 'nvme0.img', 64 * MiB), `blkdebug:${rules}:`),
      ...['-device', 'nvme-ns,bus=c0,drive=d0,nsid=1'],
      ...drive('d1', image(folder, 'zoned.img', 64 * MiB)),
      ...['-device', 'nvme-ns,bus=c0,drive=d1,nsid=2,zoned=on,zoned.zone_size=4M,zoned.max_open=4,zoned.max_active=4'],
    ]
  },
}

export const PROFILES: readonly Profile[] = [devices, faults]

export function findProfile(name: string): Profile | undefined {
  return PROFILES.find((profile) => profile.name === name)
}
