import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { foreign } from '../ffi/foreign.ts'
import { BpfAttributes, bpf } from './command.ts'
import {
  BPF_LINK_GET_FD_BY_ID,
  BPF_LINK_GET_NEXT_ID,
  BPF_LINK_TYPE_XDP,
  BPF_MAP_GET_FD_BY_ID,
  BPF_OBJ_GET_INFO_BY_FD,
  BPF_PROG_GET_FD_BY_ID,
} from './constants.ts'
import { closeDescriptors } from './link.ts'

/** Bytes of `struct bpf_link_info`, `bpf_prog_info` and `bpf_map_info` that are read here. */
const INFO_BYTES = 256
const MAX_MAPS = 16

export interface BpfLinkInfo {
  readonly id: number
  readonly type: number
  readonly programId: number
  /** For an XDP link; 0 once the interface is gone. */
  readonly interfaceIndex: number
}

export interface BpfProgramInfo {
  readonly id: number
  readonly name: string
  readonly mapIds: readonly number[]
}

export interface BpfMapInfo {
  readonly id: number
  readonly type: number
  readonly entries: number
  readonly name: string
}

function objectInfo(descriptor: number, info: DataView): boolean {
  const attributes = new BpfAttributes().u32(0, descriptor).u32(4, info.byteLength).pointer(8, info)
  return bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) === 0
}

const emptyInfo = () => new DataView(new ArrayBuffer(INFO_BYTES))

function nameAt(info: DataView, offset: number): string {
  const bytes = new Uint8Array(info.buffer, offset, 16)
  return new TextDecoder().decode(bytes.subarray(0, Math.max(0, bytes.indexOf(0))))
}

export function bpfLinkInfo(link: number): BpfLinkInfo | undefined {
  const info = emptyInfo()
  if (!objectInfo(link, info)) return undefined
  return {
    type: info.getUint32(0, true),
    id: info.getUint32(4, true),
    programId: info.getUint32(8, true),
    interfaceIndex: info.getUint32(16, true),
  }
}

export function bpfProgramInfo(program: number): BpfProgramInfo | undefined {
  const info = emptyInfo()
  const maps = new Uint32Array(MAX_MAPS)
  info.setUint32(52, MAX_MAPS, true)
  info.setBigUint64(56, BigInt(foreign().addressOf(maps)), true)
  if (!objectInfo(program, info)) return undefined
  const count = Math.min(info.getUint32(52, true), MAX_MAPS)
  return { id: info.getUint32(4, true), name: nameAt(info, 64), mapIds: [...maps.subarray(0, count)] }
}

export function bpfMapInfo(map: number): BpfMapInfo | undefined {
  const info = emptyInfo()
  if (!objectInfo(map, info)) return undefined
  return {
    type: info.getUint32(0, true),
    id: info.getUint32(4, true),
    entries: info.getUint32(16, true),
    name: nameAt(info, 24),
  }
}

/** A descriptor for the program or map of that id, or -1 with errno; needs CAP_SYS_ADMIN. The caller closes it. */
export const programById = (id: number): number => bpf(BPF_PROG_GET_FD_BY_ID, new BpfAttributes().u32(0, id))
export const mapById = (id: number): number => bpf(BPF_MAP_GET_FD_BY_ID, new BpfAttributes().u32(0, id))

/** Every XDP link of the machine that the caller may see; empty without CAP_SYS_ADMIN. */
export function xdpLinks(): BpfLinkInfo[] {
  const found: BpfLinkInfo[] = []
  for (let id = 0; ; ) {
    const next = new BpfAttributes().u32(0, id)
    if (bpf(BPF_LINK_GET_NEXT_ID, next) !== 0) return found
    id = next.read32(4)
    const link = bpf(BPF_LINK_GET_FD_BY_ID, new BpfAttributes().u32(0, id))
    if (link < 0) continue
    const info = bpfLinkInfo(link)
    closeDescriptors(link)
    if (info?.type === BPF_LINK_TYPE_XDP) found.push(info)
  }
}

/** A process that holds a descriptor of a link. */
export interface LinkHolder {
  readonly pid: number
  /** Its command line, the program without its folder, cut to 80 characters; the kernel's name for it where there is none. */
  readonly command: string
}

/** Finds who holds a link by what /proc says of open descriptors; undefined when nobody visible does. */
export function findLinkHolder(linkId: number): LinkHolder | undefined {
  const held = new RegExp(`^link_id:\\s*${linkId}$`, 'm')
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      for (const descriptor of readdirSync(`/proc/${pid}/fdinfo`)) {
        if (!held.test(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'latin1'))) continue
        const [program = '', ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        const line = [basename(program), ...words].join(' ').replace(/\s+/g, ' ').trim()
        const command = line === '' ? readFileSync(`/proc/${pid}/comm`, 'utf8').trim() : line.slice(0, 80)
        return { pid: Number(pid), command }
      }
    } catch {
      // The process ended, or is not ours to look at.
    }
  }
  return undefined
}
