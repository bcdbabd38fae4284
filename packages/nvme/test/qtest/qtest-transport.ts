import {
  createFrameWindow,
  type DmaMapping,
  type DmaMemory,
  type FrameWindow,
  type FrameWindowOptions,
  type MemoryRegion,
  ParakernelError,
  type RegisterWindow,
} from '@parakernel/hal'
import type { NvmeTransport } from '../../src/index.ts'
import { PageArena } from '../../src/vfio/page-arena.ts'
import { type Qemu, RAM_BYTES } from './qemu.ts'

const PAGE = 4096
/** Below lie the machine's legacy holes. */
const FIRST_BYTE = 1 << 20
/** Where BAR 0 is put: in the hole that the machine leaves for PCI. */
const BAR = 0xe000_0000
const NVME_CLASS = 0x01_08_02
const CONFIG_ADDRESS = 0xcf8
const CONFIG_DATA = 0xcfc
const MEMORY_AND_BUS_MASTER = 6

/** QEMU's NVMe controller behind qtest: registers by messages, memory shared. Frames must lie in the guest's memory. */
export class QtestTransport implements NvmeTransport {
  readonly name: string
  readonly registers: RegisterWindow
  readonly memory: QtestMemory
  readonly regions = ['memfd'] as const
  /** Messages of MSI-X end in the machine's interrupt controller, where nobody looks. */
  readonly interrupts = {
    vectors: 0,
    connect(): never {
      throw new ParakernelError('ENOTSUP', 'there are no interrupts through qtest', { subject: 'qtest' })
    },
    disconnect(): void {},
  }
  readonly #qemu: Qemu

  constructor(qemu: Qemu) {
    this.#qemu = qemu
    const { pipe } = qemu
    const slot = findNvme(qemu)
    this.name = `qtest 00:${slot.toString(16).padStart(2, '0')}.0`
    config(qemu, slot, 0x10, BAR)
    config(qemu, slot, 0x14, 0)
    config(qemu, slot, 0x04, MEMORY_AND_BUS_MASTER)
    this.registers = {
      byteLength: 0x4000,
      read32: (offset) => pipe.read32(BAR + offset),
      write32: (offset, value) => pipe.write32(BAR + offset, value),
    }
    this.memory = new QtestMemory(qemu.region)
  }

  close(): Promise<void> {
    return this.#qemu.close()
  }
}

/** Guest memory: bus addresses are offsets in its region. */
export class QtestMemory implements DmaMemory {
  readonly pageSize = PAGE
  readonly region: MemoryRegion
  readonly #arena: PageArena
  readonly #own = new Set<DmaMapping>()

  constructor(region: MemoryRegion) {
    this.region = region
    const mapping = { region, byteOffset: FIRST_BYTE, byteLength: RAM_BYTES - FIRST_BYTE, busAddress: FIRST_BYTE }
    this.#arena = new PageArena(mapping, PAGE)
  }

  allocate(byteLength: number): DmaMapping {
    const length = Math.ceil(byteLength / PAGE) * PAGE
    const byteOffset = this.#arena.take(length)
    if (byteOffset < 0) throw new ParakernelError('ENOMEM', `no ${length} bytes in one piece`, { subject: 'qtest' })
    new Uint8Array(this.region.buffer, byteOffset, length).fill(0)
    const mapping = { region: this.region, byteOffset, byteLength: length, busAddress: byteOffset }
    this.#own.add(mapping)
    return mapping
  }

  map(region: MemoryRegion, byteOffset: number, byteLength: number): DmaMapping {
    if (region.byteLength !== this.region.byteLength || region.fd !== this.region.fd) {
      throw new ParakernelError('ENOTSUP', 'is not the memory of the machine', { subject: 'qtest region' })
    }
    return { region, byteOffset, byteLength, busAddress: byteOffset }
  }

  unmap(mapping: DmaMapping): void {
    if (this.#own.delete(mapping)) this.#arena.give(mapping.byteOffset, mapping.byteLength)
  }

  /** A window in guest memory. */
  createWindow(frameCount: number, { frameSize = PAGE, ...rest }: Partial<FrameWindowOptions> = {}): FrameWindow {
    const { byteOffset } = this.allocate(frameCount * frameSize + frameSize)
    const aligned = Math.ceil(byteOffset / frameSize) * frameSize
    return createFrameWindow({ headroom: 0, ...rest, region: this.region, byteOffset: aligned, frameSize, frameCount })
  }
}

function findNvme(qemu: Qemu): number {
  for (let slot = 0; slot < 32; slot++) if (readConfig(qemu, slot, 0x08) >>> 8 === NVME_CLASS) return slot
  throw new ParakernelError('ENODEV', 'there is no NVMe controller on bus 0', { subject: 'qtest' })
}

function readConfig({ pipe }: Qemu, slot: number, register: number): number {
  pipe.out32(CONFIG_ADDRESS, 0x8000_0000 | (slot << 11) | register)
  return pipe.in32(CONFIG_DATA)
}

function config({ pipe }: Qemu, slot: number, register: number, value: number): void {
  pipe.out32(CONFIG_ADDRESS, 0x8000_0000 | (slot << 11) | register)
  pipe.out32(CONFIG_DATA, value)
}
