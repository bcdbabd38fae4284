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
  type Register,
  XDP_PASS,
} from '@parakernel/linux'
import type { PortRange, TakeRules } from './take-rules.ts'

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

/**
 * Assembles the program that runs before the kernel's stack for every received frame: what `rules` name goes to the socket
 * of the queue on which it arrived, everything else on to the kernel. For a queue without a socket the verdict is
 * `withoutSocket`.
 *
 * Through the program R6 is the context, R3 the end of the packet, R7 the network header, R5 what is compared.
 */
export function xdpProgram(rules: TakeRules, socketMap: number, withoutSocket = XDP_PASS): Uint8Array {
  const code = new BpfAssembler().mov(R6, R1)
  if (!rules.all) matchRules(code, rules)
  code
    .label('take')
    .loadMap(R1, socketMap)
    .load(32, R2, R6, MD_RX_QUEUE)
    .mov(R3, withoutSocket)
    .call(BPF_FUNC_REDIRECT_MAP)
    .exit()
  // The verifier refuses code that cannot be reached.
  if (!rules.all) code.label('pass').mov(R0, XDP_PASS).exit()
  return code.assemble()
}

function matchRules(code: BpfAssembler, rules: TakeRules): void {
  code.load(32, R2, R6, MD_DATA).load(32, R3, R6, MD_DATA_END)
  within(code, R2, 14)
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
    for (const address of rules.ipv4) code.jumpIf32(R5, 'eq', word(address, 0), 'take')
  }
  code.jump('pass')
}

function matchIpv4(code: BpfAssembler, rules: TakeRules): void {
  within(code, R7, 20)
  code.load(32, R5, R7, 16)
  for (const address of rules.ipv4) code.jumpIf32(R5, 'eq', word(address, 0), 'take')
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

function matchIpv6(code: BpfAssembler, rules: TakeRules): void {
  within(code, R7, 40)
  rules.ipv6.forEach((address, i) => {
    for (let part = 0; part < 4; part++) {
      code.load(32, R5, R7, 24 + part * 4).jumpIf32(R5, 'ne', word(address, part), `ipv6-not-${i}`)
    }
    code.jump('take').label(`ipv6-not-${i}`)
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
    code.jumpIf(R5, 'ne', protocol, next).jumpIf(R1, 'lt', first, next).jumpIf(R1, 'le', last, 'take').label(next)
  })
  code.jump('pass')
}

/** Four bytes of an address as a little-endian machine loads them. */
const word = (address: Uint8Array, index: number) =>
  address[index * 4] | (address[index * 4 + 1] << 8) | (address[index * 4 + 2] << 16) | (address[index * 4 + 3] << 24)
