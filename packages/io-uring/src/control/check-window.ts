import { type BlockCapabilities, type FrameWindow, ParakernelError } from '@parakernel/hal'

/** Whether a device can use a window. @throws ENOTSUP for a kind of memory that it cannot reach */
export function checkWindow({ region }: FrameWindow, { regions }: BlockCapabilities, subject: string): void {
  if (regions.includes(region.kind)) return
  throw new ParakernelError('ENOTSUP', `it cannot use memory of the kind '${region.kind}'`, {
    subject,
    remedy: `Use memory of the kind ${regions.map((kind) => `'${kind}'`).join(' or ')}`,
  })
}
