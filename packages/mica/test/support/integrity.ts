import type { WasmMemory } from '@parakernel/hal'
import {
  BUCKET_NEXT,
  BUCKET_SLOTS,
  BUCKET_TAGS,
  BUCKET_VERSION,
  BUCKET_WORDS,
  H_FREE_UNITS,
  H_HEAD,
  H_SPARE_FREE,
  H_SPARE_NEXT,
  H_TAIL,
  ITEM_SIZE,
  SIZE_DEAD,
  SIZE_FREE,
  SIZE_MASK,
  SIZE_PREVIOUS_FREE,
  SLOT_POSITION,
} from '../../src/layout.ts'
import type { MicaPartition } from '../../src/partition.ts'
import { isLive } from '../../src/typescript/circular-log.ts'
import { listOf } from '../../src/typescript/segregated-fit.ts'
import { itemAt, StoreMemory } from '../../src/typescript/store-memory.ts'

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`integrity: ${what}`)
}

/** Walks index and data and throws if anything contradicts anything. Returns the number of live items. */
export function checkIntegrity(memory: WasmMemory, partition: MicaPartition): number {
  const s = new StoreMemory(memory, partition.byteOffset)
  const referred = walkIndex(s)
  const items = s.lossless ? walkHeap(s, referred) : walkLog(s, referred)
  const { items: counted, spareBucketsInUse } = partition.statistics()
  expect(items === counted, `${items} items, but ${counted} counted`)
  expect(s.lossless || spareBucketsInUse === 0, 'spare buckets in cache mode')
  return items
}

/** Positions that the index refers to. */
function walkIndex(s: StoreMemory): Set<number> {
  const { words } = s
  const referred = new Set<number>()
  const chained = new Set<number>()
  for (let n = 0; n <= s.bucketMask; n++) {
    let current = s.index + n * BUCKET_WORDS
    expect((words[current + BUCKET_VERSION] & 1) === 0, 'a bucket is locked')
    for (;;) {
      let gap = false
      for (let slot = current + BUCKET_TAGS; slot < current + BUCKET_TAGS + BUCKET_SLOTS; slot++) {
        if (words[slot] === 0) {
          gap = true
          continue
        }
        expect(!(s.lossless && gap), 'a chain has a hole')
        const position = words[slot + SLOT_POSITION]
        if (!isLive(s, position)) continue
        expect(!referred.has(position), 'two slots refer to one item')
        referred.add(position)
      }
      const next = words[current + BUCKET_NEXT]
      if (next === 0) break
      expect(!gap, 'a bucket before the last of its chain has a hole')
      expect(!chained.has(next), 'a spare bucket is chained twice')
      chained.add(next)
      current = s.spare + (next - 1) * BUCKET_WORDS
      expect(words[current + BUCKET_TAGS] !== 0, 'a chained spare bucket is empty')
    }
  }
  let free = 0
  for (let n = words[s.header + H_SPARE_FREE]; n !== 0; n = words[s.spare + (n - 1) * BUCKET_WORDS + BUCKET_NEXT]) {
    expect(!chained.has(n), 'a free spare bucket is chained')
    free++
  }
  if (s.lossless) expect(free + chained.size === words[s.header + H_SPARE_NEXT] - 1, 'a spare bucket is lost')
  return referred
}

function walkLog(s: StoreMemory, referred: Set<number>): number {
  const { words, header } = s
  const tail = words[header + H_TAIL]
  let position = words[header + H_HEAD]
  let live = 0
  expect((tail - position) >>> 0 <= s.dataUnits, 'the log is longer than its space')
  while (position !== tail) {
    const size = words[itemAt(s, position) + ITEM_SIZE]
    if ((size & SIZE_DEAD) === 0) {
      expect(referred.has(position), 'an item is live, but not in the index')
      live++
    } else expect(!referred.has(position), 'an item is dead, but in the index')
    expect((size & SIZE_MASK) > 0, 'an item of size 0')
    position = (position + (size & SIZE_MASK)) | 0
    expect((tail - position) >>> 0 <= s.dataUnits, 'items do not tile the log')
  }
  expect(live === referred.size, 'the index refers to something that is no item')
  return live
}

function walkHeap(s: StoreMemory, referred: Set<number>): number {
  const { words, data } = s
  let unit = 0
  let used = 0
  let free = 0
  let previousFree = 0
  const freeUnits = new Set<number>()
  const end = s.dataUnits - 1
  while (unit < end) {
    const block = data + unit * 2
    const size = words[block + ITEM_SIZE] & SIZE_MASK
    const isFree = (words[block + ITEM_SIZE] & SIZE_FREE) !== 0
    expect(size >= 3, 'a block is too small')
    expect(((words[block + ITEM_SIZE] & SIZE_PREVIOUS_FREE) !== 0) === previousFree > 0, 'a boundary tag is wrong')
    if (previousFree > 0) expect(words[block - 1] === previousFree, 'a footer is wrong')
    if (isFree) {
      expect(previousFree === 0, 'two free blocks are neighbours')
      free += size
      freeUnits.add(unit)
    } else {
      expect(referred.has(unit), 'a block is used, but not in the index')
      used++
    }
    previousFree = isFree ? size : 0
    unit += size
  }
  expect(unit === end, 'blocks do not tile the heap')
  expect(free === words[s.header + H_FREE_UNITS], 'the count of free units is wrong')
  expect(used === referred.size, 'the index refers to something that is no item')
  for (let list = 0; list < 128; list++) {
    const bit = (words[s.freeBitmap + (list >> 5)] >>> (list & 31)) & 1
    let entry = words[s.freeLists + list]
    expect((entry !== 0) === (bit === 1), 'the bitmap of free lists is wrong')
    let previous = 0
    for (; entry !== 0; entry = words[data + (entry - 1) * 2 + 2]) {
      expect(freeUnits.delete(entry - 1), 'a free list holds a block that is not free')
      expect(words[data + (entry - 1) * 2 + 3] === previous, 'a free list is broken')
      expect(listOf(words[data + (entry - 1) * 2 + ITEM_SIZE] & SIZE_MASK) === list, 'a block is in the wrong list')
      previous = entry
    }
  }
  expect(freeUnits.size === 0, 'a free block is in no list')
  return used
}
