import type { CaseRandom } from './random.ts'

/** Few, so that what random expressions ask for occurs. */
export const PORTS = [53, 80, 443, 4791, 11211, 65_535]
export const ADDRESSES = [0x0a00_0001, 0x0a00_0002, 0xc0a8_0101, 0xe000_0001, 0xffff_ffff]
/** Longest that `randomPacket` makes. */
export const LONGEST_PACKET = 300

/**
 * Writes a random Ethernet frame to `bytes` and returns its length: UDP, TCP, ICMP, other protocols and ARP over IPv4 and IPv6, with
 * options, extension headers, fragments and tags; one in four is spoilt (cut short, or with a byte changed), one in twenty is noise.
 */
export function randomPacket(random: CaseRandom, bytes: Uint8Array): number {
  if (random.chance(0.05)) {
    const length = random.below(120)
    for (let i = 0; i < length; i++) bytes[i] = random.next()
    return length
  }
  const writer = new Writer(bytes)
  for (let i = 0; i < 12; i++) writer.u8(random.next())
  if (random.chance(0.15)) {
    writer.u16(random.pick([0x8100, 0x88a8]))
    writer.u16(random.below(8))
  }
  const kind = random.below(10)
  if (kind === 0) {
    writer.u16(0x0806)
    for (let i = 0; i < 28; i++) writer.u8(random.next())
  } else if (kind < 6) ipv4(random, writer)
  else ipv6(random, writer)
  if (random.chance(0.2)) for (let i = random.below(20); i > 0; i--) writer.u8(0)
  let length = writer.at
  if (random.chance(0.15)) length = random.below(length + 1)
  if (random.chance(0.1) && length > 0) bytes[random.below(length)] = random.next()
  return length
}

class Writer {
  readonly bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  u8(value: number): void {
    this.bytes[this.at++] = value
  }

  u16(value: number): void {
    this.u8(value >>> 8)
    this.u8(value)
  }

  u32(value: number): void {
    this.u16(value >>> 16)
    this.u16(value)
  }
}

function ipv4(random: CaseRandom, writer: Writer): void {
  writer.u16(0x0800)
  const start = writer.at
  const options = random.chance(0.2) ? random.below(11) * 4 : 0
  writer.u8(0x40 | (5 + options / 4))
  writer.u8(random.pick([0, 0x2e, 0xb8]))
  const lengthAt = writer.at
  writer.u16(0)
  writer.u16(random.next())
  writer.u16(random.chance(0.1) ? random.pick([0x2000, 0x0001, 0x2005, 0x00b9]) : 0x4000)
  writer.u8(random.pick([1, 64, 255]))
  const protocol = random.pick([1, 6, 6, 17, 17, 17, 50])
  writer.u8(protocol)
  writer.u16(0)
  writer.u32(random.pick(ADDRESSES))
  writer.u32(random.pick(ADDRESSES))
  for (let i = 0; i < options; i++) writer.u8(1)
  transport(random, writer, protocol)
  const total = writer.at - start
  writer.bytes[lengthAt] = total >>> 8
  writer.bytes[lengthAt + 1] = total
}

function ipv6(random: CaseRandom, writer: Writer): void {
  writer.u16(0x86dd)
  writer.u32(0x6000_0000)
  const lengthAt = writer.at
  writer.u16(0)
  const protocol = random.pick([6, 6, 17, 17, 17, 58, 59])
  const extensions = random.chance(0.3)
    ? Array.from({ length: 1 + random.below(6) }, () => random.pick(EXTENSIONS))
    : []
  const next = [...extensions, protocol]
  writer.u8(next[0] as number)
  writer.u8(random.pick([1, 64, 255]))
  for (let i = 0; i < 8; i++) writer.u32(random.pick(ADDRESSES))
  const start = writer.at
  for (let i = 0; i < extensions.length; i++) {
    writer.u8(next[i + 1] as number)
    if (extensions[i] === 44) {
      writer.u8(0)
      writer.u16(random.pick([0, 1, 8, 0x00b9]))
      writer.u32(random.next())
    } else {
      const units = random.below(3)
      writer.u8(units)
      for (let k = 2; k < 8 * (units + 1); k++) writer.u8(0)
    }
  }
  transport(random, writer, protocol)
  const total = writer.at - start
  writer.bytes[lengthAt] = total >>> 8
  writer.bytes[lengthAt + 1] = total
}

const EXTENSIONS = [0, 43, 44, 60]

function transport(random: CaseRandom, writer: Writer, protocol: number): void {
  if (protocol === 6) {
    writer.u16(random.pick(PORTS))
    writer.u16(random.pick(PORTS))
    writer.u32(random.next())
    writer.u32(random.next())
    const words = random.pick([5, 5, 8, 15])
    writer.u8(words << 4)
    writer.u8(random.pick([0x02, 0x10, 0x12, 0x18]))
    for (let i = 14; i < words * 4; i++) writer.u8(0)
  } else if (protocol === 17) {
    writer.u16(random.pick(PORTS))
    writer.u16(random.pick(PORTS))
    writer.u16(8)
    writer.u16(0)
  } else {
    writer.u8(random.pick([0, 8, 128, 135]))
    for (let i = 1; i < 8; i++) writer.u8(random.next())
  }
  for (let i = random.below(48); i > 0; i--) writer.u8(random.below(4))
}
