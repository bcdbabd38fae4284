import { defineConfig } from '@parakernel/config'

export default defineConfig({
  network: { libos: 'net', backend: 'emulated', address: '10.0.0.1/24', latency: 20_000 },
})
