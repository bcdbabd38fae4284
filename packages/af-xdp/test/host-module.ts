import { LinuxHost } from '@parakernel/linux'

/** What the conformance suite's workers use as their host. */
export function createHost(): LinuxHost {
  return new LinuxHost()
}
