import { defineConfig } from '@parakernel/config'

/**
 * A server on two queues of an interface; needs root. The interface must have no address of the kernel's own in this
 * network. For a demonstration without hardware use `kvs af-xdp`, which makes its own.
 */
export default defineConfig({
  network: { libos: 'net', backend: 'af-xdp', interface: 'eth1', address: '10.0.0.1/24' },
  partitions: 2,
  cpus: 'auto',
  heap: '512MiB',
})
