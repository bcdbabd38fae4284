import { ForwardingDevice } from '@parakernel/hal'

/** A device that somebody else owns, and will close. */
export class BorrowedDevice extends ForwardingDevice {
  override async close(): Promise<void> {}
}
