import type { FilterExpression } from '@parakernel/hal'
import {
  BPF_FUNC_REDIRECT_MAP,
  BpfAssembler,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R6,
  R7,
  R8,
  R9,
  type Register,
  XDP_DROP,
  XDP_PASS,
} from '@parakernel/linux'
import { emitFilters } from '../filter/compile.ts'
import { DATA, DATA_END } from '../filter/frame.ts'
import {
  allGroupsMask,
  bankCount,
  GROUPS,
  groupSlot,
  leftOutCount,
  OWN_ADDRESS,
  promiscuousMask,
} from './filter-table.ts'
import { type PortRange, PROTOCOL_UDP, type TakeRules } from './take-rules.ts'

/** Fields of `struct xdp_md`, linux/bpf.h. */
const MD_DATA = 0
const MD_DATA_END = 4
const MD_RX_QUEUE = 16

/** A 16-bit constant as a little-endian machine loads it from a packet. */
const network16 = (value: number) => ((value & 0xff) << 8) | (value >> 8)
const ETHERTYPE_IPV4 = network16(0x0800)
const ETHERTYPE_ARP = network16(0x0806)
const ETHERTYPE_IPV6 = network16(0x86dd)
const ETHERTYPE_VLAN = network16(0x8100)

/** Descriptors of the maps that a program stands on. */
export interface ProgramMaps {
  /** The XSKMAP: the socket of each queue. */
  readonly sockets: number
  /** An array of one value, a `FilterTable` for `queues` queues. */
  readonly filter: number
  readonly queues: number
}

/**
 * Assembles the program that runs before the kernel's stack for every received frame. What it takes goes to the socket of
 * the queue on which it arrived, everything else on to the kernel; for a queue without a socket the verdict is
 * `withoutSocket`. It takes
 *
 * - a frame to a group that a queue's holder asked for, whatever the rules say;
 * - a frame that the rules name, if it is addressed to the interface, to all, or to a group that the rules list, or if a
 *   holder is promiscuous. What only this condition keeps out is counted.
 *
 * Of what it takes, a queue's packet filter drops what does not match.
 *
 * Through the program R6 is the context, R2 the packet, R3 its end, R7 the network header, R5 what is compared, and R9
 * whether the destination address lets the frame pass.
 */
export function xdpProgram(
  rules: TakeRules,
  maps: ProgramMaps,
  filters: PacketFilters = new Map(),
  withoutSocket = XDP_PASS,
): Uint8Array {
  const code = new BpfAssembler().mov(R6, R1).load(32, R2, R6, MD_DATA).load(32, R3, R6, MD_DATA_END)
  within(code, R2, 14)
  matchDestination(code, rules, maps)
  code.label('rules')
  if (!rules.all) matchRules(code, rules)
  code.label('named').jumpIf(R9, 'eq', 0, 'left-out').label('take')
  if (filters.size > 0) filterPackets(code, filters, maps)
  code
    .loadMap(R1, maps.sockets)
    .load(32, R2, R6, MD_RX_QUEUE)
    .mov(R3, withoutSocket)
    .call(BPF_FUNC_REDIRECT_MAP)
    .exit()
    .label('left-out')
  countLeftOut(code, maps, 'pass')
  code.label('pass').mov(R0, XDP_PASS).exit()
  return code.assemble()
}

/** By queue. */
export type PacketFilters = ReadonlyMap<number, FilterExpression>

/** Drops what the filter of the frame's queue does not match, and counts it with what was left out; else goes on behind this. */
function filterPackets(code: BpfAssembler, filters: PacketFilters, maps: ProgramMaps): void {
  const labelled = [...filters].map(([queue, expression]) => ({ label: `queue-${queue}`, expression, queue }))
  const choose = () => {
    code.load(32, R1, R9, MD_RX_QUEUE)
    for (const { queue, label } of labelled) code.jumpIf(R1, 'eq', queue, label)
    code.jump('redirect')
  }
  // The filter takes R6 for itself.
  code.mov(R9, R6).load(32, DATA_END, R6, MD_DATA_END).load(32, DATA, R6, MD_DATA)
  emitFilters(code, labelled, choose, 'redirect', 'filtered')
  code.label('filtered').mov(R6, R9)
  countLeftOut(code, maps, 'drop')
  code.label('drop').mov(R0, XDP_DROP).exit().label('redirect').mov(R6, R9)
}

/** Adds one to the count of the frame's queue, and goes on at `next`, which must stand behind this. */
function countLeftOut(code: BpfAssembler, { filter, queues }: ProgramMaps, next: string): void {
  code
    .load(32, R2, R6, MD_RX_QUEUE)
    .jumpIf(R2, 'ge', queues, next)
    .alu('lsh', R2, 3)
    .loadMapValue(R1, filter, leftOutCount(queues, 0))
    .add(R1, R2)
    .mov(R2, 1)
    .atomicAdd(R1, 0, R2)
}

/** R1 is the destination address as the table's words have it, R4 its first four bytes, R7 the table. */
function matchDestination(code: BpfAssembler, rules: TakeRules, { filter, queues }: ProgramMaps): void {
  const banks = Array.from({ length: bankCount(queues) }, (_, bank) => bank)
  code
    .load(16, R1, R2, 4)
    .alu('lsh', R1, 32)
    .load(32, R4, R2, 0)
    .alu('or', R1, R4)
    .alu('lsh', R1, 16)
    .loadMapValue(R7, filter, 0)
    .mov(R9, 1)
    .load(64, R5, R7, OWN_ADDRESS)
    .jumpIf(R1, 'eq', R5, 'rules')
  // The bit of a group is the lowest one of the first byte.
  code.jumpIf(R4, 'set', 1, 'group').jump('others')
  code.label('group').load(16, R5, R2, 4).jumpIf32(R4, 'ne', -1, 'asked').jumpIf(R5, 'eq', 0xffff, 'rules')
  code.label('asked')
  for (const bank of banks) {
    code.load(32, R5, R7, allGroupsMask(bank)).jumpIf(R5, 'ne', 0, 'take')
    for (let slot = 0; slot < GROUPS; slot++) {
      // Without the mask of queues; a slot without queues is 0 as a whole.
      code.load(64, R5, R7, groupSlot(bank, slot)).alu('rsh', R5, 16).alu('lsh', R5, 16).jumpIf(R5, 'eq', R1, 'take')
    }
  }
  for (const group of rules.groups) {
    const next = `not-group-${group.join('-')}`
    code
      .load(16, R5, R2, 4)
      .jumpIf32(R4, 'ne', word(group, 0), next)
      .jumpIf(R5, 'eq', group[4] | (group[5] << 8), 'rules')
      .label(next)
  }
  code.label('others')
  for (const bank of banks) code.load(32, R5, R7, promiscuousMask(bank)).jumpIf(R5, 'ne', 0, 'rules')
  code.mov(R9, 0)
}

function matchRules(code: BpfAssembler, rules: TakeRules): void {
  code.load(16, R5, R2, 12).mov(R7, R2).add(R7, 14).jumpIf(R5, 'ne', ETHERTYPE_VLAN, 'network')
  within(code, R2, 18)
  code
    .load(16, R5, R2, 16)
    .add(R7, 4)
    .label('network')
    .jumpIf(R5, 'eq', ETHERTYPE_ARP, 'arp')
    .jumpIf(R5, 'eq', ETHERTYPE_IPV4, 'ipv4')
    .jumpIf(R5, 'eq', ETHERTYPE_IPV6, 'ipv6')
    .jump('pass')
  matchArp(code.label('arp'), rules)
  matchIpv4(code.label('ipv4'), rules)
  matchIpv6(code.label('ipv6'), rules)
}

/** Leaves the frame to the kernel unless `bytes` bytes from `start` are there. The verifier asks for it. */
function within(code: BpfAssembler, start: Register, bytes: number): void {
  code.mov(R4, start).add(R4, bytes).jumpIf(R4, 'gt', R3, 'pass')
}

/** RFC 826: the target address, or the sender's, which is how a conflict shows (RFC 5227). */
function matchArp(code: BpfAssembler, rules: TakeRules): void {
  within(code, R7, 28)
  for (const field of [24, 14]) {
    code.load(32, R5, R7, field)
    for (const address of rules.ipv4) code.jumpIf32(R5, 'eq', word(address, 0), 'named')
  }
  code.jump('pass')
}

function matchIpv4(code: BpfAssembler, rules: TakeRules): void {
  within(code, R7, 20)
  code.load(32, R5, R7, 16)
  for (const address of rules.ipv4) code.jumpIf32(R5, 'eq', word(address, 0), 'named')
  if (rules.limitedBroadcast) matchLimitedBroadcast(code)
  if (rules.ports.length === 0) {
    code.jump('pass')
    return
  }
  code
    // Only the first fragment has ports.
    .load(16, R5, R7, 6)
    .jumpIf(R5, 'set', network16(0x1fff), 'pass')
    .load(8, R4, R7, 0)
    .alu('and', R4, 0x0f)
    .alu('lsh', R4, 2)
    .jumpIf(R4, 'lt', 20, 'pass')
    .mov(R8, R7)
    .add(R8, R4)
    .load(8, R5, R7, 9)
  matchPorts(code, rules.ports, 'ipv4')
}

/** Of what goes to 255.255.255.255, DHCP stays with the kernel, which may have leased an address for the interface. */
function matchLimitedBroadcast(code: BpfAssembler): void {
  code
    .jumpIf32(R5, 'ne', -1, 'no-broadcast')
    .load(8, R5, R7, 9)
    .jumpIf(R5, 'ne', PROTOCOL_UDP, 'named')
    .load(8, R4, R7, 0)
    .jumpIf(R4, 'ne', 0x45, 'named')
  within(code, R7, 24)
  code
    .load(16, R5, R7, 22)
    .jumpIf(R5, 'eq', network16(67), 'pass')
    .jumpIf(R5, 'ne', network16(68), 'named')
    .jump('pass')
    .label('no-broadcast')
}

function matchIpv6(code: BpfAssembler, rules: TakeRules): void {
  within(code, R7, 40)
  rules.ipv6.forEach((address, i) => {
    for (let part = 0; part < 4; part++) {
      code.load(32, R5, R7, 24 + part * 4).jumpIf32(R5, 'ne', word(address, part), `ipv6-not-${i}`)
    }
    code.jump('named').label(`ipv6-not-${i}`)
  })
  if (rules.ports.length === 0) {
    code.jump('pass')
    return
  }
  // Extension headers are not followed: such packets stay the kernel's.
  code.mov(R8, R7).add(R8, 40).load(8, R5, R7, 6)
  matchPorts(code, rules.ports, 'ipv6')
}

/** R8 is the transport header, R5 the protocol; R1 becomes the destination port. */
function matchPorts(code: BpfAssembler, ports: readonly PortRange[], name: string): void {
  within(code, R8, 4)
  code.load(16, R1, R8, 2).toBigEndian(16, R1)
  ports.forEach(({ protocol, first, last }, i) => {
    const next = `${name}-port-not-${i}`
    code.jumpIf(R5, 'ne', protocol, next).jumpIf(R1, 'lt', first, next).jumpIf(R1, 'le', last, 'named').label(next)
  })
  code.jump('pass')
}

/** Four bytes of an address as a little-endian machine loads them. */
const word = (address: Uint8Array, index: number) =>
  address[index * 4] | (address[index * 4 + 1] << 8) | (address[index * 4 + 2] << 16) | (address[index * 4 + 3] << 24)
