import { ParakernelError } from '@parakernel/hal'
import { BpfAssembler, R0, R1, R2, R3, R4, R5, R6 } from '../bpf/assembler.ts'
import { BPF_PROG_TYPE_SCHED_CLS, BPF_TCX_EGRESS, TCX_NEXT } from '../bpf/constants.ts'
import { closeDescriptors, createBpfLink } from '../bpf/link.ts'
import { loadBpfProgram } from '../bpf/program.ts'
import { check } from '../errno.ts'
import { inNamespace } from '../interface/namespace.ts'
import { queryLink } from '../interface/netlink.ts'
import type { VethPair } from './veth.ts'

export interface PortSteeringOptions {
  /** UDP destination port `portBase + n` goes to queue n. */
  readonly portBase: number
  /** Ports that are steered, from `portBase`. Default: the pair's queues. */
  readonly queues?: number
}

/** Fields of `struct __sk_buff`, linux/bpf.h. */
const SKB_QUEUE_MAPPING = 12
const SKB_DATA = 76
const SKB_DATA_END = 80

/** A number of 16 bits as a little-endian machine loads it from a packet. */
const networkOrder = (value: number) => ((value & 0xff) << 8) | (value >> 8)

/**
 * The program that plays the NIC's flow steering on a cable that has none: on the sender's egress it chooses the transmit
 * queue, which is the receiver's receive queue, from the UDP destination port. IPv4 without options and IPv6 without
 * extension headers; fragments and everything else go where the kernel sends them.
 */
export function portSteeringProgram(portBase: number, queues: number): Uint8Array {
  return (
    new BpfAssembler()
      .mov(R6, R1)
      .load(32, R2, R6, SKB_DATA)
      .load(32, R3, R6, SKB_DATA_END)
      .mov(R4, R2)
      .add(R4, 42)
      .jumpIf(R4, 'gt', R3, 'next')
      .load(16, R5, R2, 12)
      .jumpIf(R5, 'eq', networkOrder(0x86dd), 'ipv6')
      .jumpIf(R5, 'ne', networkOrder(0x0800), 'next')

      .load(8, R5, R2, 14)
      .jumpIf(R5, 'ne', 0x45, 'next')
      .load(8, R5, R2, 23)
      .jumpIf(R5, 'ne', 17, 'next')
      .load(16, R5, R2, 20)
      .jumpIf(R5, 'set', networkOrder(0x1fff), 'next')
      .load(16, R5, R2, 36)
      .jump('steer')

      .label('ipv6')
      .mov(R4, R2)
      .add(R4, 62)
      .jumpIf(R4, 'gt', R3, 'next')
      .load(8, R5, R2, 20)
      .jumpIf(R5, 'ne', 17, 'next')
      .load(16, R5, R2, 56)

      .label('steer')
      .toBigEndian(16, R5)
      .alu('sub', R5, portBase)
      .jumpIf(R5, 'ge', queues, 'next')
      // The kernel keeps the queue plus one, 0 for none.
      .add(R5, 1)
      .store(32, R6, SKB_QUEUE_MAPPING, R5)
      .label('next')
      .mov(R0, TCX_NEXT)
      .exit()
      .assemble()
  )
}

/** Attaches the program to the peer's egress. It stays until `detach()`, or until this process ends, however it ends. */
export function steerPortsToQueues(pair: VethPair, options: PortSteeringOptions): { detach(): void } {
  const { portBase, queues = pair.queues } = options
  const subject = `tcx egress of ${pair.peer} in ${pair.namespace}`
  if (!(Number.isInteger(portBase) && portBase > 0 && portBase + queues <= 65_536)) {
    throw new ParakernelError('EINVAL', `ports ${portBase} to ${portBase + queues - 1} do not exist`, { subject })
  }
  const program = loadBpfProgram({
    type: BPF_PROG_TYPE_SCHED_CLS,
    attachType: BPF_TCX_EGRESS,
    code: portSteeringProgram(portBase, queues),
    name: 'pk_port_steer',
  })
  let link: number
  try {
    link = inNamespace(pair.namespace, () => {
      const created = createBpfLink(program, queryLink(pair.peer).index, BPF_TCX_EGRESS)
      return check(created, { call: 'bpf(LINK_CREATE)', subject, remedy: 'tcx links need Linux 6.6 or newer' })
    })
  } finally {
    closeDescriptors(program)
  }
  let attached = true
  return {
    detach() {
      if (attached) closeDescriptors(link)
      attached = false
    },
  }
}
