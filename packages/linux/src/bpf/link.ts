import { calls } from '../ffi/calls.ts'
import { BpfAttributes, bpf } from './command.ts'
import { BPF_LINK_CREATE, BPF_LINK_UPDATE } from './constants.ts'

/**
 * Attaches a program to an interface by a link. The link is a descriptor: when its last holder closes it or dies, the
 * program is detached by the kernel, whatever happened to the process.
 *
 * @param flags `XDP_FLAGS_*` for XDP; 0 for tcx.
 * @returns the link's descriptor, or -1 with errno (EBUSY: another program is attached; EOPNOTSUPP: not this mode).
 */
export function createBpfLink(program: number, interfaceIndex: number, attachType: number, flags = 0): number {
  return bpf(
    BPF_LINK_CREATE,
    new BpfAttributes().u32(0, program).u32(4, interfaceIndex).u32(8, attachType).u32(12, flags),
  )
}

/** Replaces the program of a link at one stroke: no packet sees neither or both. Returns 0, or -1 with errno. */
export function updateBpfLink(link: number, program: number): number {
  return bpf(BPF_LINK_UPDATE, new BpfAttributes().u32(0, link).u32(4, program))
}

/** Closes descriptors of maps, programs and links; negative ones are skipped. */
export function closeDescriptors(...descriptors: number[]): void {
  for (const descriptor of descriptors) if (descriptor >= 0) calls().close(descriptor)
}
