/** What the conformance suite's workers use as their host. */
export { createHost } from '@parakernel/linux'
