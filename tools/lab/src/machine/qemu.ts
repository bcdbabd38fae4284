import { join } from 'node:path'
import { findProgram } from '../image/programs.ts'
import { createCable } from './cable.ts'
import type { Profile } from './profiles.ts'

export interface MachineFiles {
  /** The folder of the run, for images and the console's log. */
  readonly scratch: string
  readonly kernel: string
  readonly initramfs: string
  /** Raw disks: a tar archive that the guest unpacks, and room for one that it writes. */
  readonly payload: string
  readonly artefacts: string
}

export const CONSOLE_LOG = 'console.log'

/**
 * `no_timer_check`: the kernel waits ten ticks for the timer and panics without them, which happens where a busy host gives the
 * emulator no time.
 */
const KERNEL_ARGUMENTS =
  'console=ttyS0 panic=-1 quiet intel_iommu=on iommu=nopt cryptomgr.notests random.trust_cpu=on no_timer_check'

/**
 * The command line of one machine: TCG, because KVM is missing or too slow where the host is a virtual machine itself. Four
 * processors, so that devices with a queue for each have four.
 *
 * The first serial port is the console, into a file; the second, on standard output, carries what the command says, so that
 * the kernel's messages do not fall into the middle of a line.
 */
export function qemuCommand(profile: Profile, files: MachineFiles): [program: string, args: string[]] {
  const cable = profile.cable === true ? createCable(files.scratch) : undefined
  const args = [
    ...['-machine', 'q35,kernel-irqchip=split,nvdimm=on', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '4'],
    ...['-m', '1536M,slots=2,maxmem=4G', '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-serial', `file:${join(files.scratch, CONSOLE_LOG)}`, '-serial', 'stdio'],
    ...[
      '-drive',
      `file=${files.payload},if=none,id=payload,format=raw,readonly=on`,
      '-device',
      'virtio-blk-pci,drive=payload',
    ],
    ...[
      '-drive',
      `file=${files.artefacts},if=none,id=out,format=raw,cache=unsafe`,
      '-device',
      'virtio-blk-pci,drive=out',
    ],
    ...profile.devices(files.scratch),
    ...(cable?.devices ?? []),
    ...['-kernel', files.kernel, '-initrd', files.initramfs],
    ...['-append', KERNEL_ARGUMENTS],
  ]
  // The kernel ends the machine with this process, however this process ends.
  const bound = findProgram('setpriv') === undefined ? [] : ['setpriv', '--pdeathsig', 'KILL', '--']
  const [program = '', ...words] = [...(cable?.wrapper ?? []), ...bound, 'qemu-system-x86_64', ...args]
  return [program, words]
}
