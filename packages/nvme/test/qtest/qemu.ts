import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createPlainRegion, type MemoryRegion } from '@parakernel/hal'
import { mapMemfdRegion } from '@parakernel/linux'
import { QtestPipe } from './qtest-pipe.ts'

const QEMU = 'qemu-system-x86_64'
/** Guest memory, all of which is DMA memory. */
export const RAM_BYTES = 64 << 20
const FIRMWARE_BYTES = 65_536
/** cli; hlt; jmp back: the processor of the machine sleeps, and only its devices live. */
const HALT = Uint8Array.of(0xfa, 0xf4, 0xeb, 0xfd)
const RESET_VECTOR = FIRMWARE_BYTES - 16
const START_PATIENCE_MS = 10_000

/** Why there is no QEMU to test with; undefined when there is. */
export function qemuMissing(): string | undefined {
  try {
    createPlainRegion(65_536)
    const help = execFileSync(QEMU, ['-device', 'nvme,help'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
    return help.includes('serial') ? undefined : `${QEMU} has no NVMe controller`
  } catch {
    return `${QEMU} is not installed`
  }
}

export interface QemuNamespace {
  readonly bytes: number
  readonly blockSize?: 512 | 4096
  /** Lines of a blkdebug configuration: errors that the block layer injects. */
  readonly blkdebug?: string
}

export interface QemuOptions {
  readonly serial?: string
  readonly namespaces?: readonly QemuNamespace[]
  /** Further properties of the controller: `mdts=2,atomic.awupf=3`. */
  readonly properties?: string
}

/** A virtual machine that never boots: a halted processor, memory in a file that is mapped here too, and an NVMe controller. */
export class Qemu {
  readonly pipe: QtestPipe
  readonly region: MemoryRegion
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #ram: number

  private constructor(child: ChildProcess, directory: string, ram: number, pipe: QtestPipe) {
    this.#child = child
    this.#directory = directory
    this.#ram = ram
    this.pipe = pipe
    this.region = mapMemfdRegion(ram, RAM_BYTES)
  }

  static async start({
    serial = 'QTEST0',
    namespaces = [{ bytes: 32 << 20 }],
    properties,
  }: QemuOptions): Promise<Qemu> {
    // In shared memory: guest memory must not be written to a disk.
    const directory = mkdtempSync('/dev/shm/nvme-qtest-')
    const path = (name: string) => join(directory, name)
    const firmware = new Uint8Array(FIRMWARE_BYTES)
    firmware.set(HALT, RESET_VECTOR)
    writeFileSync(path('firmware'), firmware)
    writeFileSync(path('ram'), '')
    truncateSync(path('ram'), RAM_BYTES)
    execFileSync('mkfifo', [path('qtest.in'), path('qtest.out')])
    const devices = [
      '-device',
      `nvme,id=nvme0,serial=${serial},max_ioqpairs=8${properties === undefined ? '' : `,${properties}`}`,
    ]
    for (const [i, { bytes, blockSize = 4096, blkdebug }] of namespaces.entries()) {
      writeFileSync(path(`image${i}`), '')
      truncateSync(path(`image${i}`), bytes)
      if (blkdebug !== undefined) writeFileSync(path(`blkdebug${i}`), blkdebug)
      const file = blkdebug === undefined ? path(`image${i}`) : `blkdebug:${path(`blkdebug${i}`)}:${path(`image${i}`)}`
      devices.push('-drive', `file=${file},if=none,id=d${i},format=raw,cache=writeback`)
      const size = `logical_block_size=${blockSize},physical_block_size=${blockSize}`
      devices.push('-device', `nvme-ns,bus=nvme0,drive=d${i},nsid=${i + 1},${size}`)
    }
    const child = spawn(
      QEMU,
      [
        ...['-machine', 'pc,memory-backend=ram', '-accel', 'tcg', '-m', `${RAM_BYTES >> 20}M`],
        ...['-object', `memory-backend-file,id=ram,size=${RAM_BYTES},mem-path=${path('ram')},share=on`],
        ...['-bios', path('firmware'), '-display', 'none', '-nodefaults', '-no-user-config'],
        ...['-qtest', `pipe:${path('qtest')}`, '-qtest-log', '/dev/null'],
        ...devices,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let complaints = ''
    child.stderr?.on('data', (data) => {
      complaints += data
    })
    const ram = openSync(path('ram'), constants.O_RDWR)
    try {
      await opened(child, path('qtest.in'), () => complaints)
      return new Qemu(child, directory, ram, new QtestPipe(path('qtest')))
    } catch (error) {
      child.kill('SIGKILL')
      closeSync(ram)
      rmSync(directory, { recursive: true })
      throw error
    }
  }

  /** Everything is gone at once, as after the machine's power. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await exited
  }

  async close(): Promise<void> {
    await this.kill()
    this.pipe.close()
    closeSync(this.#ram)
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** A pipe opens for writing without waiting as soon as QEMU reads from it. */
async function opened(child: ChildProcess, path: string, complaints: () => string): Promise<void> {
  for (const end = Date.now() + START_PATIENCE_MS; ; ) {
    if (child.exitCode !== null) throw new Error(`${QEMU} ended with ${child.exitCode}: ${complaints()}`)
    try {
      closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK))
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO' || Date.now() > end) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
