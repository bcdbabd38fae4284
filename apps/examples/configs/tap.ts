import { defineConfig } from '@parakernel/config'

// The interface is created, gets the second address, and goes with the program. The other ends are on the kernel's sockets behind it.
export default defineConfig({
  network: {
    libos: 'net',
    backend: 'tap',
    interface: 'tap0',
    address: '10.0.0.1/24',
    hostAddresses: ['10.0.0.2/24'],
  },
  app: { peer: { libos: 'host', address: '10.0.0.2' } },
})
