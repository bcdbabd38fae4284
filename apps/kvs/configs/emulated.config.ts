import { defineConfig } from '@parakernel/config'

/** Server and load on two NICs of an emulated network, in one process: what `npm start` runs. */
export default defineConfig({
  network: { libos: 'net', backend: 'emulated', address: '10.0.0.1/24' },
  heap: '128MiB',
  app: { workload: 'mica-tiny-zipf-95', keys: 200_000, duration: 6 },
})
