import { BPF_FUNC_SKB_LOAD_BYTES, BpfAssembler, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 } from '@parakernel/linux'
import type { ParsedRule } from './rule.ts'

/** A 16-bit constant as a little-endian machine loads it from a packet. */
const network16 = (value: number) => ((value & 0xff) << 8) | (value >> 8)
const ETHERTYPE_IPV4 = network16(0x0800)
const ETHERTYPE_IPV6 = network16(0x86dd)
const ETHERTYPE_AT = 12
const NETWORK = 14
/** Offset, or more to come (RFC 791). */
const FRAGMENT = network16(0x3fff)

/** Where the program keeps pieces of the packet, below the frame pointer. */
const IP = -40
const PORTS = -48

/** Knuth's multiplier: spreads what differs in low bits over the high ones. */
const SPREAD = 0x9e37_79b1 | 0

/**
 * Assembles the program that chooses the queue of each packet from the kernel to a TAP interface: that of the first rule that
 * matches, else one by the flow's addresses and ports, the same in both directions. The kernel takes the result modulo the
 * number of queues. IPv6 extension headers are not looked behind, and VLAN tags neither: such packets match no rule.
 *
 * R6 is the context, R7 the destination port or -1, R8 the protocol, R9 the hash.
 */
export function steeringProgram(rules: readonly ParsedRule[]): Uint8Array {
  const code = new BpfAssembler().mov(R6, R1).mov(R9, 0).mov(R7, -1)
  readPacket(code, ETHERTYPE_AT, PORTS, 2)
  code.load(16, R5, R10, PORTS).jumpIf(R5, 'eq', ETHERTYPE_IPV6, 'ipv6').jumpIf(R5, 'ne', ETHERTYPE_IPV4, 'none')

  readPacket(code, NETWORK, IP, 20)
  code
    .load(32, R9, R10, IP + 12)
    .load(32, R5, R10, IP + 16)
    .alu('xor', R9, R5)
    .load(8, R8, R10, IP + 9)
  code.load(16, R5, R10, IP + 6).jumpIf(R5, 'set', FRAGMENT, 'rules4')
  code.load(8, R2, R10, IP).alu('and', R2, 15).alu('lsh', R2, 2).add(R2, NETWORK)
  readPorts(code)
  code.label('rules4')
  matchRules(code, rules, 4)
  code.jump('none')

  code.label('ipv6')
  readPacket(code, NETWORK, IP, 40)
  for (let at = 8; at < 40; at += 4) code.load(32, R5, R10, IP + at).alu('xor', R9, R5)
  code.load(8, R8, R10, IP + 6).mov(R2, NETWORK + 40)
  readPorts(code)
  matchRules(code, rules, 16)

  return code.label('none').mov(R0, R9).alu('mul', R0, SPREAD).alu('lsh', R0, 32).alu('rsh', R0, 48).exit().assemble()
}

/** Copies bytes of the packet below the frame pointer; one that is too short matches nothing. */
function readPacket(code: BpfAssembler, from: number, to: number, length: number): void {
  code.mov(R1, R6).mov(R2, from)
  load(code, to, length)
}

function load(code: BpfAssembler, to: number, length: number): void {
  code.mov(R3, R10).add(R3, to).mov(R4, length).call(BPF_FUNC_SKB_LOAD_BYTES).jumpIf(R0, 'ne', 0, 'none')
}

/** Both ports, of the transport header whose offset is in R2, into the hash; the destination's into R7. TCP and UDP alike. */
function readPorts(code: BpfAssembler): void {
  code.mov(R1, R6)
  load(code, PORTS, 4)
  code
    .load(16, R7, R10, PORTS + 2)
    .load(16, R5, R10, PORTS)
    .alu('xor', R5, R7)
    .alu('xor', R9, R5)
    .toBigEndian(16, R7)
}

/** Rules for addresses of `bytes` bytes; without any match the program goes on behind them. */
function matchRules(code: BpfAssembler, rules: readonly ParsedRule[], bytes: 4 | 16): void {
  const destination = bytes === 4 ? IP + 16 : IP + 24
  rules.forEach(({ protocol, ports, address, queue, spread }, i) => {
    if (address !== undefined && address.length !== bytes) return
    const next = `next-${bytes}-${i}`
    code.jumpIf(R8, 'ne', protocol, next)
    // Unsigned: the -1 of a packet without ports is above every range.
    if (ports !== undefined) code.jumpIf(R7, 'lt', ports[0], next).jumpIf(R7, 'gt', ports[1], next)
    const words = address === undefined ? undefined : new DataView(address.buffer)
    for (let at = 0; words !== undefined && at < bytes; at += 4) {
      code.load(32, R5, R10, destination + at).jumpIf32(R5, 'ne', words.getInt32(at, true), next)
    }
    if (ports === undefined || spread === 1) code.mov(R0, queue)
    else code.mov(R0, R7).alu('sub', R0, ports[0]).alu('mod', R0, spread).add(R0, queue)
    code.exit().label(next)
  })
}
