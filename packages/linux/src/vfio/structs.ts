import { ParakernelError } from '@parakernel/hal'
import { systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign, type Pointer } from '../ffi/foreign.ts'

/** A structure of linux/vfio.h with its size in the first word. */
export function vfioStruct(byteLength: number): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(byteLength))
  view.setUint32(0, byteLength, true)
  return view
}

/** An ioctl that must succeed; returns what it returned. */
export function request(
  fd: number,
  number: number,
  argument: Pointer,
  call: string,
  subject: string,
  remedy?: string,
): number {
  const result = calls().ioctl(fd, number, argument)
  if (result >= 0) return result
  throw systemError(foreign().errno(), { call, subject, ...(remedy === undefined ? {} : { remedy }) })
}

/** A 64-bit field, which must be an exact double. */
export function getUint53(view: DataView, offset: number, subject: string): number {
  const value = view.getBigUint64(offset, true)
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw new ParakernelError('ERANGE', `the kernel says ${value}, beyond 2^53`, { subject })
}
