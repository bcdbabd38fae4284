import {
  ADMIN_ABORT,
  ADMIN_ASYNC_EVENT,
  ADMIN_CREATE_CQ,
  ADMIN_CREATE_SQ,
  ADMIN_DELETE_CQ,
  ADMIN_DELETE_SQ,
  ADMIN_GET_FEATURES,
  ADMIN_GET_LOG_PAGE,
  ADMIN_IDENTIFY,
  ADMIN_SET_FEATURES,
  ALL_NAMESPACES,
} from '../spec/opcodes.ts'

/** An admin command, as the caller describes it. */
export interface AdminCommand {
  /** For errors. */
  readonly name: string
  readonly opcode: number
  readonly namespace?: number
  readonly dword10?: number
  readonly dword11?: number
  readonly dword12?: number
  /** Bytes that the controller returns, at most a page. */
  readonly reads?: number
  /** Bus address in place of a data page: a queue's memory. */
  readonly address?: number
}

export interface AdminResult {
  /** Dword 0 of the completion. */
  readonly value: number
  /** A copy of what was returned; empty for commands without. */
  readonly data: Uint8Array
}

const PHYSICALLY_CONTIGUOUS = 1

export function identify(cns: number, namespace = 0, commandSet = 0): AdminCommand {
  return {
    name: `Identify (CNS 0x${cns.toString(16).padStart(2, '0')})`,
    opcode: ADMIN_IDENTIFY,
    namespace,
    dword10: cns,
    dword11: commandSet << 24,
    reads: 4096,
  }
}

export interface QueueGeometry {
  readonly queue: number
  readonly entries: number
  readonly address: number
}

/** `vector` -1: no interrupts. */
export function createCompletionQueue({ queue, entries, address }: QueueGeometry, vector: number): AdminCommand {
  const interrupts = vector < 0 ? 0 : (vector << 16) | 2
  return {
    name: 'Create I/O Completion Queue',
    opcode: ADMIN_CREATE_CQ,
    dword10: ((entries - 1) << 16) | queue,
    dword11: interrupts | PHYSICALLY_CONTIGUOUS,
    address,
  }
}

export function createSubmissionQueue({ queue, entries, address }: QueueGeometry): AdminCommand {
  return {
    name: 'Create I/O Submission Queue',
    opcode: ADMIN_CREATE_SQ,
    dword10: ((entries - 1) << 16) | queue,
    dword11: (queue << 16) | PHYSICALLY_CONTIGUOUS,
    address,
  }
}

export function deleteSubmissionQueue(queue: number): AdminCommand {
  return { name: 'Delete I/O Submission Queue', opcode: ADMIN_DELETE_SQ, dword10: queue }
}

export function deleteCompletionQueue(queue: number): AdminCommand {
  return { name: 'Delete I/O Completion Queue', opcode: ADMIN_DELETE_CQ, dword10: queue }
}

/** The result's bit 0 is clear when the command was aborted. */
export function abort(queue: number, identifier: number): AdminCommand {
  return { name: 'Abort', opcode: ADMIN_ABORT, dword10: (identifier << 16) | queue }
}

export function getFeature(feature: number, namespace = 0, select = 0): AdminCommand {
  return {
    name: `Get Features (0x${feature.toString(16).padStart(2, '0')})`,
    opcode: ADMIN_GET_FEATURES,
    namespace,
    dword10: (select << 8) | feature,
  }
}

export function setFeature(feature: number, value: number, namespace = 0, save = false): AdminCommand {
  return {
    name: `Set Features (0x${feature.toString(16).padStart(2, '0')})`,
    opcode: ADMIN_SET_FEATURES,
    namespace,
    dword10: feature | (save ? 0x8000_0000 : 0),
    dword11: value,
  }
}

/** `bytes`: a multiple of 4, at most a page. */
export function getLogPage(page: number, bytes: number, namespace = ALL_NAMESPACES): AdminCommand {
  return {
    name: `Get Log Page (0x${page.toString(16).padStart(2, '0')})`,
    opcode: ADMIN_GET_LOG_PAGE,
    namespace,
    dword10: (((bytes >>> 2) - 1) << 16) | page,
    reads: bytes,
  }
}

export const asyncEventRequest: AdminCommand = { name: 'Asynchronous Event Request', opcode: ADMIN_ASYNC_EVENT }
