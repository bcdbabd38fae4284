import { BLOCK_READ, BLOCK_WRITE } from '@parakernel/hal'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { BlockGroup } from '../case.ts'
import type { BlockSession, Segment } from '../session.ts'

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

/** Reads and writes, byte for byte. */
export const transfers: BlockGroup = {
  name: 'transfers',
  cases: [
    {
      title: 'what is written is read, and the neighbours stay',
      run: async (session) => {
        const queue = await session.open()
        const around = session.pattern(8, 1)
        await session.write(queue, 0, around)
        const blocks = Math.min(3, session.longest(queue))
        const data = session.pattern(blocks, 200)
        const { status, result } = await session.run(queue, { opcode: BLOCK_WRITE, lba: 2, blocks, data })
        expect({ status, result }).toEqual({ status: 0, result: data.length })
        const expected = Buffer.from(around)
        expected.set(data, 2 * session.blockSize)
        expect(same(await session.read(queue, 0, 8), expected)).toBe(true)
      },
    },
    {
      title: 'the longest transfer, and the last blocks of the range',
      run: async (session) => {
        const queue = await session.open()
        const longest = Math.min(session.longest(queue), session.range.blocks)
        const lba = session.range.blocks - longest
        const data = session.pattern(longest, 5)
        const done = await session.run(queue, { opcode: BLOCK_WRITE, lba, blocks: longest, data })
        expect(done).toMatchObject({ status: 0, result: data.length })
        const read = await session.run(queue, { opcode: BLOCK_READ, lba, blocks: longest })
        expect(read).toMatchObject({ status: 0, result: data.length })
        expect(same(read.data, data)).toBe(true)
      },
    },
    {
      title: 'a read does not write beyond its segments',
      run: async (session) => {
        const queue = await session.open()
        await session.write(queue, 0, session.pattern(1, 9))
        const [{ frame }] = session.place(queue, queue.pool.frameSize)
        const start = queue.pool.address(frame)
        queue.pool.bytes.fill(0xee, start, start + queue.pool.frameSize)
        const segment = { frame, offset: session.blockSize, length: session.blockSize }
        await session.run(queue, { opcode: BLOCK_READ, blocks: 1, segments: [segment] })
        const bytes = queue.pool.bytes.slice(start, start + queue.pool.frameSize)
        expect(same(bytes.subarray(session.blockSize, 2 * session.blockSize), session.pattern(1, 9))).toBe(true)
        bytes.fill(0xee, session.blockSize, 2 * session.blockSize)
        expect(bytes.every((byte) => byte === 0xee)).toBe(true)
        queue.pool.release(frame)
      },
    },
    {
      title: 'segments are filled and emptied in order, however a transfer is cut',
      unless: ({ device }) => (device.capabilities.maxSegments < 2 ? 'the device takes one segment' : undefined),
      run: async (session) => {
        const queue = await session.open()
        const blocks = Math.min(4, session.longest(queue))
        const data = session.pattern(blocks, 21)
        for (const cut of cuts(session, queue.pool.frameSize, data.length)) {
          await session.write(queue, 0, session.pattern(blocks, 99))
          const out = spread(session, queue, cut, data)
          expect(await session.run(queue, { opcode: BLOCK_WRITE, blocks, segments: out })).toMatchObject({ status: 0 })
          expect(same(await session.read(queue, 0, blocks), data), `written as ${cut}`).toBe(true)
          session.release(queue, out)
          const back = spread(session, queue, cut)
          const { data: found } = await session.run(queue, { opcode: BLOCK_READ, blocks, segments: back })
          expect(same(found, data), `read as ${cut}`).toBe(true)
          session.release(queue, back)
        }
      },
    },
    {
      title: 'two commands read the same frame into two places',
      run: async (session) => {
        const queue = await session.open()
        const data = session.pattern(1, 61)
        const segments = session.place(queue, session.blockSize, data)
        const burst = session.burst(2)
        for (const lba of [0, 7]) session.push(burst, { opcode: BLOCK_WRITE, lba, blocks: 1, segments })
        expect(queue.submit(burst)).toBe(2)
        await session.completeAll(queue, 2)
        session.release(queue, segments)
        for (const lba of [0, 7]) expect(same(await session.read(queue, lba, 1), data)).toBe(true)
      },
    },
    {
      title: 'every namespace is its own',
      unless: ({ device }) => (device.namespaces.size < 2 ? 'the device has one namespace' : undefined),
      run: async (session) => {
        const numbers = [...session.device.namespaces.keys()]
        for (const round of ['write', 'read'] as const) {
          for (const namespace of numbers) {
            const range = { namespace, firstLba: 0, blocks: 1 }
            const queue = await session.open(0, { range })
            // A grant has the capabilities of its own namespace.
            const bytes = queue.capabilities.blockSize
            const content = session.pattern(Math.ceil(bytes / session.blockSize), namespace).subarray(0, bytes)
            const segments = session.place(queue, bytes, content)
            const burst = session.burst(1)
            burst.push(round === 'write' ? BLOCK_WRITE : BLOCK_READ, namespace, 0, 1, 1)
            for (const { frame, offset, length } of segments) burst.addSegment(frame, offset, length)
            expect(queue.submit(burst)).toBe(1)
            expect((await session.completeAll(queue, 1))[0].status).toBe(0)
            expect(same(session.gather(queue, segments), content)).toBe(true)
            session.release(queue, segments)
            session.close(queue)
          }
        }
      },
    },
    {
      title: 'a random workload, many commands at a time, leaves what a model says',
      timeout: 60_000,
      run: async (session) => {
        const queue = await session.open()
        const space = Math.min(64, session.range.blocks)
        const model = Buffer.from(session.pattern(space, 0))
        await session.write(queue, 0, model)
        const rounds = Math.max(4, Math.ceil(session.operations / 24))
        const plans = fc.sample(
          fc.array(
            fc.record({
              write: fc.boolean(),
              lba: fc.nat(space - 1),
              blocks: fc.integer({ min: 1, max: Math.min(4, session.longest(queue)) }),
              stamp: fc.nat(255),
            }),
            { minLength: 8, maxLength: Math.min(40, queue.capabilities.queueDepth) },
          ),
          { seed: session.seed, numRuns: rounds },
        )
        for (const plan of plans) await runPlan(session, queue, plan, model, space)
        expect(same(await session.read(queue, 0, space), model)).toBe(true)
      },
    },
  ],
}

interface Planned {
  readonly write: boolean
  readonly lba: number
  readonly blocks: number
  readonly stamp: number
}

/** Submits all commands that touch blocks of their own, and checks each read against the model. */
async function runPlan(
  session: BlockSession,
  queue: Awaited<ReturnType<BlockSession['open']>>,
  plan: readonly Planned[],
  model: Buffer,
  space: number,
): Promise<void> {
  const burst = session.burst(plan.length)
  const taken = new Set<number>()
  const under = new Map<number, { readonly planned: Planned; readonly segments: readonly Segment[] }>()
  for (const planned of plan) {
    const blocks = Array.from({ length: planned.blocks }, (_, i) => planned.lba + i)
    if (planned.lba + planned.blocks > space || blocks.some((block) => taken.has(block))) continue
    for (const block of blocks) taken.add(block)
    const data = planned.write ? session.pattern(planned.blocks, planned.stamp) : undefined
    const segments = session.place(queue, planned.blocks * session.blockSize, data)
    const opcode = planned.write ? BLOCK_WRITE : BLOCK_READ
    under.set(session.push(burst, { opcode, lba: planned.lba, blocks: planned.blocks, segments }), {
      planned,
      segments,
    })
  }
  let done = 0
  const total = under.size
  let completed = 0
  await session.until('a round of commands', () => {
    if (done < total) done += queue.submit(burst, done)
    for (const { cookie, status } of session.completeSome(queue)) {
      const one = under.get(cookie)
      if (one === undefined) throw new Error(`cookie ${cookie} completed twice, or was never submitted`)
      under.delete(cookie)
      completed++
      expect(status).toBe(0)
      const at = one.planned.lba * session.blockSize
      const found = session.gather(queue, one.segments)
      if (one.planned.write) model.set(found, at)
      else expect(same(found, model.subarray(at, at + found.length))).toBe(true)
      session.release(queue, one.segments)
    }
    return completed === total
  })
}

/** Lengths of segments that a transfer may be cut into, by what the device takes. */
function cuts(session: BlockSession, frameSize: number, length: number): number[][] {
  const { memoryAlignment, segmentPage, maxSegments } = session.device.capabilities
  const lists: number[][] = []
  const step = Math.max(memoryAlignment, 64)
  if (segmentPage === 0) {
    for (const first of [step, length - step, session.blockSize]) {
      if (first > 0 && first < length && first % memoryAlignment === 0) lists.push([first, length - first])
    }
    const equal = Math.ceil(length / Math.min(maxSegments, 8) / step) * step
    const even: number[] = []
    for (let at = 0; at < length; at += equal) even.push(Math.min(equal, length - at))
    lists.push(even)
  } else if (length > segmentPage) {
    // The first may begin, and the last may end, within a page.
    const odd = Math.max(memoryAlignment, segmentPage / 2)
    const pages = [odd]
    for (let at = odd; at < length; at += segmentPage) pages.push(Math.min(segmentPage, length - at))
    lists.push(pages)
  }
  return lists.filter((cut) => cut.length <= maxSegments && cut.every((part) => part <= frameSize))
}

/** A frame for each segment; the first ends at the end of a page where that matters. */
function spread(
  session: BlockSession,
  queue: Awaited<ReturnType<BlockSession['open']>>,
  cut: readonly number[],
  data?: Uint8Array,
): Segment[] {
  const { segmentPage } = session.device.capabilities
  let at = 0
  return cut.map((length, i) => {
    const frame = queue.pool.allocate()
    if (frame < 0) throw new Error('the pool is exhausted')
    const offset = segmentPage > 0 && i === 0 ? segmentPage - length : 0
    if (data !== undefined) queue.pool.bytes.set(data.subarray(at, at + length), queue.pool.address(frame) + offset)
    at += length
    return { frame, offset, length }
  })
}
