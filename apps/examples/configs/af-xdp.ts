import { defineConfig } from '@parakernel/config'

// The interface differs from machine to machine: give it by --interface.
export default defineConfig({
  network: { libos: 'net', backend: 'af-xdp', address: '10.0.0.1/24' },
})
