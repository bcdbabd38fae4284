import { defineConfig } from '@parakernel/config'

/** Over the sockets of the host's kernel: any platform, no privileges. */
export default defineConfig({
  network: { libos: 'host' },
  heap: '128MiB',
})
