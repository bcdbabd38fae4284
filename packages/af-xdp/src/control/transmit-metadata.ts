import { createPlainRegion, ParakernelError } from '@parakernel/hal'
import {
  AF_XDP,
  calls,
  EINVAL,
  encodeUmemRegistration,
  foreign,
  regionAddress,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_XDP,
  XDP_TX_METADATA_BYTES,
  XDP_UMEM_REG,
  XDP_UMEM_TX_METADATA_LEN,
  XDP_UMEM_TX_SW_CSUM,
} from '@parakernel/linux'
import type { AfXdpOptions, TransmitChecksum } from '../options.ts'

/** What a UMEM is registered with, for each choice. */
export const UMEM_METADATA: Readonly<
  Record<TransmitChecksum, { readonly flags: number; readonly metadataBytes: number }>
> = {
  none: { flags: 0, metadataBytes: 0 },
  metadata: { flags: XDP_UMEM_TX_METADATA_LEN, metadataBytes: XDP_TX_METADATA_BYTES },
  kernel: { flags: XDP_UMEM_TX_METADATA_LEN | XDP_UMEM_TX_SW_CSUM, metadataBytes: XDP_TX_METADATA_BYTES },
}

const CHUNK = 4096

/** Throws EINVAL for what contradicts itself, ENOTSUP where the kernel knows no metadata. */
export function checkTransmitChecksum(
  { transmitChecksum = 'none', zeroCopy = false }: AfXdpOptions,
  subject: string,
): void {
  if (transmitChecksum === 'none') return
  if (UMEM_METADATA[transmitChecksum] === undefined) {
    throw new ParakernelError('EINVAL', `transmitChecksum ${JSON.stringify(transmitChecksum)} is none of its values`, {
      subject,
      remedy: "Set it to 'none', 'metadata' or 'kernel'",
    })
  }
  if (zeroCopy) {
    // Without a copy there is nobody between the process and a driver that does not look at metadata.
    throw new ParakernelError(
      'EINVAL',
      'checksums cannot be asked for in zero-copy mode, where drivers may ignore it',
      {
        subject,
        remedy: "Set transmitChecksum to 'none', or zeroCopy to false",
      },
    )
  }
  const errno = tryUmem(UMEM_METADATA[transmitChecksum])
  if (errno !== EINVAL) return
  throw new ParakernelError('ENOTSUP', 'this kernel knows no metadata of transmitted packets', {
    subject,
    remedy: "Use Linux 6.8 or newer, or set transmitChecksum to 'none'",
  })
}

/** Registers one frame and lets go of it again; returns 0 or the errno. */
function tryUmem(metadata: { readonly flags: number; readonly metadataBytes: number }): number {
  const descriptor = calls().socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)
  if (descriptor < 0) return foreign().errno()
  try {
    const address = regionAddress(createPlainRegion(CHUNK))
    const umem = encodeUmemRegistration({ address, byteLength: CHUNK, chunkSize: CHUNK, headroom: 0, ...metadata })
    return calls().setsockopt(descriptor, SOL_XDP, XDP_UMEM_REG, umem, umem.length) === 0 ? 0 : foreign().errno()
  } finally {
    calls().close(descriptor)
  }
}
