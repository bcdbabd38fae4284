import { createPlainRegion } from '@parakernel/hal'
import { benchCases, keep, perCall } from '@parakernel/tool-bench'
import { crc32c, createPlainChecksum, memoryChecksum } from '../src/index.ts'

// Of every record that is appended or read. Nanoseconds of `size` bytes: `size` divided by it are GB/s.
const SIZES = [64, 1024, 4096, 65_536]
const region = createPlainRegion(1 << 20)
const shared = new Uint8Array(region.buffer)
for (let i = 0; i < shared.length; i++) shared[i] = i * 7
const plain = shared.slice()
const kernel = memoryChecksum(region.memory)
const script = createPlainChecksum(region.memory)

const ways: Readonly<Record<string, (size: number) => number>> = {
  'in a region': (size) => kernel.crc(0, 64, size),
  'of a plain array': (size) => crc32c(plain, 0, 64, size),
  'in JavaScript': (size) => script.crc(0, 64, size),
}

await benchCases(
  import.meta,
  { title: 'CRC-32C', unit: 'ns', better: 'less', baseline: (name) => name.replace(/^.*, /, 'in a region, ') },
  Object.fromEntries(
    SIZES.flatMap((size) =>
      Object.entries(ways).map(
        ([name, way]) =>
          [
            `${name}, ${size} B`,
            async () => {
              const value = await perCall(() => keep(way(size)))
              return { value, 'GB/s': size / value }
            },
          ] as const,
      ),
    ),
  ),
)
