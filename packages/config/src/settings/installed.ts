// biome-ignore-all lint/suspicious/noTsIgnore: whether the next line is an error depends on what is installed
/**
 * Brings the option types of our packages into a config, of those that are installed: each declares its own by merging.
 * Types only, and a package that is not there is passed over. A third party's are there once its package is imported anywhere
 * in the program (`import type {} from '@acme/my-nic'`).
 */
export interface Installed {
  /** @ts-ignore an optional peer */
  readonly net: typeof import('@parakernel/net')
  /** @ts-ignore an optional peer */
  readonly host: typeof import('@parakernel/host')
  /** @ts-ignore an optional peer */
  readonly emulated: typeof import('@parakernel/emulated')
  /** @ts-ignore an optional peer */
  readonly afXdp: typeof import('@parakernel/af-xdp')
  /** @ts-ignore an optional peer */
  readonly tap: typeof import('@parakernel/tap')
  /** @ts-ignore an optional peer */
  readonly probes: typeof import('@parakernel/probes')
  /** @ts-ignore an optional peer */
  readonly storage: typeof import('@parakernel/storage')
  /** @ts-ignore an optional peer */
  readonly ioUring: typeof import('@parakernel/io-uring')
  /** @ts-ignore an optional peer */
  readonly nvme: typeof import('@parakernel/nvme')
  /** @ts-ignore an optional peer */
  readonly pmem: typeof import('@parakernel/pmem')
}
