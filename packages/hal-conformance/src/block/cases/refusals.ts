import { BLOCK_FUA, BLOCK_READ, BLOCK_REFUSED, BLOCK_WRITE } from '@parakernel/hal'
import { expect } from 'vitest'
import type { BlockGroup } from '../case.ts'
import type { BlockSession, Command } from '../session.ts'

type Queue = Awaited<ReturnType<BlockSession['open']>>

/** Commands outside the lease, and malformed ones: refused before they reach the device. */
export const refusals: BlockGroup = {
  name: 'refusals',
  cases: [
    {
      title: 'addresses outside the lease, though inside the device',
      run: async (session) => {
        const { namespace, firstLba } = session.range
        const whole = await session.open()
        const before = session.pattern(32, 8)
        await session.write(whole, 0, before)
        session.close(whole)
        const queue = await session.open(0, { range: { namespace, firstLba: firstLba + 8, blocks: 16 } })
        const segments = session.place(queue, 2 * session.blockSize, session.pattern(2, 250))
        const commands = [0, 6, 7, 23, 24, 30, 2 ** 40, -1, -1e9].map((lba) => write(lba, 2, segments))
        expectRefused(session, queue, commands, 'refusedLease')
        session.release(queue, segments)
        session.close(queue)
        const again = await session.open()
        expect(Buffer.compare(await session.read(again, 0, 32), before)).toBe(0)
      },
    },
    {
      title: 'the first and the last block of the lease are inside',
      run: async (session) => {
        const { namespace, firstLba } = session.range
        const queue = await session.open(0, { range: { namespace, firstLba: firstLba + 8, blocks: 16 } })
        for (const [lba, blocks] of [
          [8, 1],
          [23, 1],
          [8, Math.min(16, session.longest(queue))],
        ]) {
          const done = await session.run(queue, {
            opcode: BLOCK_WRITE,
            lba,
            blocks,
            data: session.pattern(blocks, lba),
          })
          expect(done.status).toBe(0)
        }
      },
    },
    {
      title: 'another namespace',
      run: async (session) => {
        const queue = await session.open()
        const segments = session.place(queue, session.blockSize)
        const others = [session.range.namespace + 1, 0, -1].filter((one) => one !== session.range.namespace)
        const commands = others.map((namespace) => ({ ...write(0, 1, segments), namespace }))
        expectRefused(session, queue, commands, 'refusedLease')
        session.release(queue, segments)
      },
    },
    {
      title: 'addresses that are no whole numbers, and blocks that are none or too many',
      run: async (session) => {
        const queue = await session.open()
        const { maxTransfer } = queue.capabilities
        const segments = session.place(queue, session.blockSize)
        const commands = [
          write(0.5, 1, segments),
          write(Number.NaN, 1, segments),
          write(0, 0, segments),
          write(0, -1, segments),
          ...(maxTransfer < session.range.blocks ? [write(0, maxTransfer + 1, segments)] : []),
        ]
        expectRefused(session, queue, commands, 'refusedInvalid')
        session.release(queue, segments)
      },
    },
    {
      title: 'segments that do not add up to the blocks, none, or too many',
      run: async (session) => {
        const queue = await session.open()
        const { maxSegments, memoryAlignment } = queue.capabilities
        const [{ frame }] = session.place(queue, queue.pool.frameSize)
        const one = { frame, offset: 0, length: session.blockSize }
        const part = session.blockSize / (maxSegments + 1)
        const many = Array.from({ length: maxSegments + 1 }, () => ({
          frame,
          offset: 0,
          length: Math.max(1, Math.floor(part)),
        }))
        const commands = [
          write(0, 1, []),
          write(0, 2, [one]),
          write(0, 1, [{ ...one, length: 2 * session.blockSize }]),
          write(0, 1, [{ ...one, length: session.blockSize - memoryAlignment || 1 }]),
          ...(maxSegments < 64 ? [write(0, 1, many)] : []),
        ]
        expectRefused(session, queue, commands, 'refusedInvalid')
        queue.pool.release(frame)
      },
    },
    {
      title: 'frames outside the window, free ones, and bytes outside a frame',
      run: async (session) => {
        const queue = await session.open()
        const { frameSize, frameCount } = queue.pool
        const [{ frame }] = session.place(queue, session.blockSize)
        const free = queue.pool.allocate()
        queue.pool.release(free)
        const length = session.blockSize
        const segments = [
          { frame: -1, offset: 0, length },
          { frame: frameCount, offset: 0, length },
          { frame: 0x7fffffff, offset: 0, length },
          { frame: free, offset: 0, length },
          { frame, offset: -length, length },
          { frame, offset: frameSize, length },
          { frame, offset: frameSize - length / 2, length },
          { frame, offset: 0x7fffffff - length + 1, length },
        ]
        expectRefused(
          session,
          queue,
          segments.map((one) => write(0, 1, [one])),
          'refusedLease',
        )
        queue.pool.release(frame)
      },
    },
    {
      title: 'segments that are not aligned, in place or in length',
      unless: ({ device }) =>
        device.capabilities.memoryAlignment === 1 ? 'the device takes any alignment' : undefined,
      run: async (session) => {
        const queue = await session.open()
        const { memoryAlignment, maxSegments } = queue.capabilities
        const [{ frame }] = session.place(queue, queue.pool.frameSize)
        const { blockSize } = session
        const odd = memoryAlignment / 2
        const commands = [
          write(0, 1, [{ frame, offset: 1, length: blockSize }]),
          write(0, 1, [{ frame, offset: odd, length: blockSize }]),
        ]
        if (maxSegments > 1) {
          commands.push(
            write(0, 1, [
              { frame, offset: 0, length: odd },
              { frame, offset: 2 * memoryAlignment, length: blockSize - odd },
            ]),
          )
        }
        expectRefused(session, queue, commands, 'refusedInvalid')
        queue.pool.release(frame)
      },
    },
    {
      title: 'segments that break the page rule',
      unless: ({ device }) => {
        const { segmentPage, maxSegments, blockSize } = device.capabilities
        if (segmentPage === 0) return 'the device has no page rule'
        return maxSegments < 2 || blockSize < 512 ? 'the device takes one segment' : undefined
      },
      run: async (session) => {
        const queue = await session.open()
        const { segmentPage, memoryAlignment } = queue.capabilities
        const [one, two] = session.place(queue, 2 * queue.pool.frameSize)
        const part = Math.max(memoryAlignment, 256)
        const rest = session.blockSize - part
        const commands = [
          // The first ends, or the second begins, in the middle of a page.
          write(0, 1, [
            { frame: one.frame, offset: 0, length: part },
            { frame: two.frame, offset: 0, length: rest },
          ]),
          write(0, 1, [
            { frame: one.frame, offset: segmentPage - part, length: part },
            { frame: two.frame, offset: part, length: rest },
          ]),
        ].filter(({ segments }) =>
          segments.every(({ offset, length }) => length > 0 && offset + length <= queue.pool.frameSize),
        )
        expectRefused(session, queue, commands, 'refusedInvalid')
        session.release(queue, [one, two])
      },
    },
    {
      title: 'flags that are not known',
      run: async (session) => {
        const queue = await session.open()
        const segments = session.place(queue, session.blockSize)
        const commands = [2, 1 << 16, BLOCK_FUA | 4, BLOCK_REFUSED].map((flags) => ({
          ...write(0, 1, segments),
          flags,
        }))
        expectRefused(session, queue, commands, 'refusedInvalid')
        session.release(queue, segments)
      },
    },
    {
      title: 'bad ones among good ones: the good ones are done, and marked as such',
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst(16)
        const good: number[] = []
        const segments = session.place(queue, 4 * queue.pool.frameSize)
        for (const [i, { frame }] of segments.entries()) {
          const one = [{ frame, offset: 0, length: session.blockSize }]
          session.push(burst, write(-1, 1, one))
          good.push(session.push(burst, { opcode: BLOCK_READ, lba: i, blocks: 1, segments: one }))
          session.push(burst, { opcode: BLOCK_READ, lba: 0, blocks: 0, segments: one })
        }
        let done = 0
        const found: number[] = []
        let refused = 0
        await session.until('the good ones', () => {
          if (done < burst.count) {
            done += queue.submit(burst, done)
            refused += burst.refused
          }
          found.push(...session.completeSome(queue).map(({ cookie }) => cookie))
          return done === burst.count && found.length >= good.length
        })
        expect(refused).toBe(8)
        expect(found.sort((a, b) => a - b)).toEqual(good)
        for (let i = 0; i < burst.count; i++) expect((burst.flags[i] & BLOCK_REFUSED) !== 0).toBe(i % 3 !== 1)
        session.release(queue, segments)
        // The next call counts anew.
        burst.clear()
        const one = session.place(queue, session.blockSize)
        session.push(burst, { opcode: BLOCK_READ, blocks: 1, segments: one })
        expect(queue.submit(burst)).toBe(1)
        expect(burst.refused).toBe(0)
        await session.completeAll(queue, 1)
        session.release(queue, one)
      },
    },
  ],
}

function write(
  lba: number,
  blocks: number,
  segments: NonNullable<Command['segments']>,
): Command & { readonly segments: NonNullable<Command['segments']> } {
  return { opcode: BLOCK_WRITE, lba, blocks, segments }
}

/** All of them, each by itself and then together, and nothing completes. */
function expectRefused(
  session: BlockSession,
  queue: Queue,
  commands: readonly Command[],
  counter: 'refusedLease' | 'refusedInvalid',
): void {
  const submitted = queue.counters.get('submitted')
  const offer = (list: readonly Command[]) => {
    const before = queue.counters.get(counter)
    const burst = session.burst(64)
    for (const command of list) session.push(burst, command)
    expect(queue.submit(burst)).toBe(list.length)
    expect(burst.refused, JSON.stringify(list)).toBe(list.length)
    for (let i = 0; i < list.length; i++) expect(burst.flags[i] & BLOCK_REFUSED).toBe(BLOCK_REFUSED)
    expect(queue.counters.get(counter) - before, JSON.stringify(list)).toBe(list.length)
  }
  for (const command of commands) offer([command])
  offer(commands)
  expect(queue.counters.get('submitted')).toBe(submitted)
  expect(session.completeSome(queue)).toEqual([])
}
