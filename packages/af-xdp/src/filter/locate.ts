import { MAX_EXTENSION_HEADERS } from '@parakernel/hal'
import { type BpfAssembler, R0, R1, R2, R3, R4, R5, R8 } from '@parakernel/linux'
import { ABSENT, DATA, DATA_END, pointInto, read, write } from './frame.ts'

const TYPE_VLAN = 0x8100
const TYPE_SERVICE_VLAN = 0x88a8
const TYPE_IPV4 = 0x0800
const TYPE_IPV6 = 0x86dd
const FRAGMENT = 44
/** Hop-by-hop options, routing, fragment, destination options. */
const EXTENSIONS = [0, 43, FRAGMENT, 60]
const TCP = 6
const UDP = 17

/**
 * Finds the headers of the frame between DATA and DATA_END and fills the slots, step by step as `PacketLayout.ofFrame` does.
 * Goes on at `located`. Uses every register but R9.
 */
export function emitLocate(code: BpfAssembler, located: string): void {
  for (const slot of ['network', 'transport', 'payload', 'version', 'etherType', 'vlan', 'protocol'] as const) {
    code.mov(R1, ABSENT[slot])
    write(code, slot, R1)
  }
  code.mov(R1, DATA_END).alu('sub', R1, DATA)
  write(code, 'frameEnd', R1)
  write(code, 'end', R1)
  ethernet(code, located)
  ipv4(code, located)
  ipv6(code, located)
  transport(code, located)
}

/** R8 = where the network header begins; R4 = a pointer to it, of which nothing is checked yet. */
function ethernet(code: BpfAssembler, located: string): void {
  code
    .mov(R1, DATA)
    .add(R1, 14)
    .jumpIf(R1, 'gt', DATA_END, located)
    .load(16, R0, DATA, 12)
    .toBigEndian(16, R0)
    .mov(R8, 14)
    .jumpIf(R0, 'eq', TYPE_VLAN, 'tagged')
    .jumpIf(R0, 'ne', TYPE_SERVICE_VLAN, 'untagged')
    .label('tagged')
    .mov(R1, DATA)
    .add(R1, 18)
    .jumpIf(R1, 'gt', DATA_END, located)
    .load(16, R1, DATA, 14)
    .toBigEndian(16, R1)
    .alu('and', R1, 0xfff)
  write(code, 'vlan', R1)
  code.load(16, R0, DATA, 16).toBigEndian(16, R0).mov(R8, 18).label('untagged')
  write(code, 'etherType', R0)
  code.mov(R4, DATA).add(R4, R8).jumpIf(R0, 'eq', TYPE_IPV4, 'ipv4').jumpIf(R0, 'eq', TYPE_IPV6, 'ipv6').jump(located)
}

/** R3 = where the transport header would begin. */
function ipv4(code: BpfAssembler, located: string): void {
  code
    .label('ipv4')
    .mov(R5, R4)
    .add(R5, 20)
    .jumpIf(R5, 'gt', DATA_END, located)
    .load(8, R0, R4, 0)
    .mov(R1, R0)
    .alu('rsh', R1, 4)
    .jumpIf(R1, 'ne', 4, located)
    .alu('and', R0, 0xf)
    .alu('lsh', R0, 2)
    .jumpIf(R0, 'lt', 20, located)
    .load(16, R2, R4, 2)
    .toBigEndian(16, R2)
    .jumpIf(R2, 'lt', R0, located)
    .mov(R3, R8)
    .add(R3, R0)
  read(code, R1, 'frameEnd')
  code.jumpIf(R3, 'gt', R1, located)
  write(code, 'network', R8)
  code.mov(R1, 4)
  write(code, 'version', R1)
  code.add(R2, R8)
  shorten(code, 'v4-padded')
  code.load(8, R1, R4, 9)
  write(code, 'protocol', R1)
  code.load(16, R1, R4, 6).toBigEndian(16, R1).alu('and', R1, 0x1fff).jumpIf(R1, 'ne', 0, located).jump('transport')
}

/** As `ipv4`; R1 = the next header. */
function ipv6(code: BpfAssembler, located: string): void {
  code
    .label('ipv6')
    .mov(R5, R4)
    .add(R5, 40)
    .jumpIf(R5, 'gt', DATA_END, located)
    .load(8, R1, R4, 0)
    .alu('rsh', R1, 4)
    .jumpIf(R1, 'ne', 6, located)
  write(code, 'network', R8)
  code.mov(R1, 6)
  write(code, 'version', R1)
  code.load(16, R2, R4, 4).toBigEndian(16, R2).add(R2, R8).add(R2, 40)
  shorten(code, 'v6-padded')
  code.load(8, R1, R4, 6).mov(R3, R8).add(R3, 40)
  for (let i = 0; i < MAX_EXTENSION_HEADERS; i++) extensionHeader(code, `extension-${i}`)
  code.label('last-header')
  write(code, 'protocol', R1)
  code
    .jump('transport')
    // The packet ends before what the headers announce: the protocol is known, and nothing behind it.
    .label('cut-off')
  write(code, 'protocol', R1)
  code.jump(located)
}

function extensionHeader(code: BpfAssembler, name: string): void {
  for (const header of EXTENSIONS) code.jumpIf(R1, 'eq', header, name)
  code.jump('last-header').label(name).mov(R2, R3).add(R2, 8)
  read(code, R5, 'end')
  code.jumpIf(R2, 'gt', R5, 'cut-off')
  pointInto(code, R4, R3, R5, 8, 'cut-off')
  code
    .jumpIf(R1, 'eq', FRAGMENT, `${name}-fragment`)
    .load(8, R2, R4, 1)
    .add(R2, 1)
    .alu('lsh', R2, 3)
    .add(R3, R2)
    .load(8, R1, R4, 0)
    .jump(`${name}-next`)
    .label(`${name}-fragment`)
    .load(16, R2, R4, 2)
    .toBigEndian(16, R2)
    .alu('and', R2, 0xfff8)
    .load(8, R1, R4, 0)
    .add(R3, 8)
    .jumpIf(R2, 'ne', 0, 'cut-off')
    .label(`${name}-next`)
}

/** The packet ends at R2 if that is before the frame does. */
function shorten(code: BpfAssembler, otherwise: string): void {
  read(code, R1, 'end')
  code.jumpIf(R2, 'ge', R1, otherwise)
  write(code, 'end', R2)
  code.label(otherwise)
}

function transport(code: BpfAssembler, located: string): void {
  code.label('transport').mov(R2, R3).add(R2, 8)
  read(code, R5, 'end')
  code.jumpIf(R2, 'gt', R5, located)
  write(code, 'transport', R3)
  read(code, R1, 'protocol')
  code.jumpIf(R1, 'eq', TCP, 'tcp').jumpIf(R1, 'ne', UDP, located)
  write(code, 'payload', R2)
  code.jump(located).label('tcp').mov(R2, R3).add(R2, 20).jumpIf(R2, 'gt', R5, located)
  pointInto(code, R4, R3, R5, 20, located)
  code.load(8, R0, R4, 12).alu('rsh', R0, 4).alu('lsh', R0, 2).jumpIf(R0, 'lt', 20, located).add(R0, R3)
  read(code, R5, 'end')
  code.jumpIf(R0, 'gt', R5, located)
  write(code, 'payload', R0)
  code.jump(located)
}
