import { threadId } from 'node:worker_threads'
import { ParakernelError, type RegisterWindow } from '@parakernel/hal'
import { foreign } from '@parakernel/linux'
import type { DeviceModel, RegisterShare } from '../transport.ts'
import { RelayedRegisters } from './doorbell-relay.ts'

/** Registers of a device model in this thread, with what makes it work. */
export interface LocalDevice {
  readonly registers: RegisterWindow
  readonly model: DeviceModel | undefined
}

const locals = new Map<number, LocalDevice>()
let nextLocal = 1

/**
 * Enters a device model into this thread's table. The share that comes back finds it again in this thread, and its doorbells in others,
 * through the memory of a relay.
 */
export function registerLocal(
  device: LocalDevice,
  relay?: SharedArrayBuffer,
): RegisterShare & { readonly kind: 'local' } {
  const id = nextLocal++
  locals.set(id, device)
  return { kind: 'local', thread: threadId, id, relay }
}

/** Takes it out again. Shares of other kinds are ignored. */
export function forgetLocal(share: RegisterShare): void {
  if (share.kind === 'local') locals.delete(share.id)
}

/**
 * The registers in the thread that calls.
 * @throws ENOTSUP for a device model of another thread, ENOSYS without foreign functions
 */
export function openRegisters(share: RegisterShare, subject: string): LocalDevice {
  if (share.kind === 'mapped') {
    return { registers: new MappedRegisters(foreign().view(share.address, share.byteLength)), model: undefined }
  }
  if (share.thread !== threadId && share.relay !== undefined) {
    return { registers: new RelayedRegisters(share.relay), model: undefined }
  }
  const device = share.thread === threadId ? locals.get(share.id) : undefined
  if (device !== undefined) return device
  throw new ParakernelError('ENOTSUP', 'the device model lives in another thread, or was closed', {
    subject,
    remedy: 'Attach its queues in the thread that opened it',
  })
}

/** A BAR that is mapped into the process: every access is one load or store. */
export class MappedRegisters implements RegisterWindow {
  readonly byteLength: number
  readonly #words: Uint32Array

  constructor(buffer: ArrayBuffer) {
    this.byteLength = buffer.byteLength
    this.#words = new Uint32Array(buffer)
  }

  read32(offset: number): number {
    return Atomics.load(this.#words, offset >>> 2)
  }

  /**
   * Not `Atomics.store`, which is a locked exchange and reads the register too. x86 keeps the order of stores, so that the queue entry is
   * in memory when the doorbell arrives.
   */
  write32(offset: number, value: number): void {
    this.#words[offset >>> 2] = value
  }
}
