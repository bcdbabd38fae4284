import { BLOCK_FLUSH, BLOCK_READ, BLOCK_WRITE } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { type Log, type LogOptions, makeLog, openLog } from '../src/index.ts'
import { type Fault, faultyMedium } from './support/faulty-medium.ts'
import { createRig, type Rig } from './support/rig.ts'

const BLOCK = 512
const record = (i: number) => new Uint8Array(100 + ((i * 53) % 900)).fill(i)

/** A log of 60 records on a disk without a cache; `clean` or cut off. */
async function filled(
  clean: boolean,
): Promise<{ rig: Rig; image: Uint8Array; positions: number[]; ringStart: number }> {
  const rig = createRig({ blocks: 256, blockSize: BLOCK, volatileCache: false })
  const positions: number[] = [0]
  await rig.run(async () => {
    await makeLog(rig.medium)
    const log = await openLog(rig.medium)
    for (let i = 1; i <= 60; i++) {
      await log.write(record(i))
      positions.push(log.lastPosition)
    }
    if (clean) await log.close()
  })
  return { rig, image: rig.disk.media.slice(), positions, ringStart: 3 * BLOCK }
}

async function open(image: Uint8Array, options: LogOptions, fault: Fault = () => undefined) {
  const rig = createRig({ blocks: 256, blockSize: BLOCK, volatileCache: false, media: image.slice() })
  const medium = faultyMedium(rig.medium, fault)
  const log = await rig.run(() => openLog(medium, options))
  return { rig, log }
}

describe('bit rot', () => {
  for (const clean of [true, false]) {
    it(`in any record of a log that was ${clean ? 'closed' : 'cut off'} is reported, and nothing is cut`, async () => {
      const { image, positions, ringStart } = await filled(clean)
      // Of a log that was cut off nothing says that the last record had been acknowledged.
      const last = clean ? 60 : 59
      for (let i = 1; i <= last; i += 3) {
        for (const at of [0, 5, 9, 17, 24, 40]) {
          const rotten = image.slice()
          rotten[ringStart + positions[i] + at] ^= 1 << (at % 8)
          await expect(open(rotten, {}), `record ${i}, byte ${at}`).rejects.toMatchObject({ code: 'EUCLEAN' })
          const { rig, log } = await open(rotten, { damaged: 'skip' })
          expect(log.recovery.lost.map(({ first, last, reason }) => [first, last, reason])).toEqual([
            [i, i, 'checksum'],
          ])
          expect([log.first, log.next]).toEqual([1, 61])
          await rig.run(async () => {
            await expect(log.read(i)).rejects.toMatchObject({ code: 'EUCLEAN' })
            for (const other of [1, 30, 60]) if (other !== i) expect(await log.read(other)).toEqual(record(other))
            expect((await log.scrub()).lost).toHaveLength(1)
            expect(await log.write(record(61))).toBe(61)
            const seen: number[] = []
            await log.visit((sequence) => seen.push(sequence))
            expect(seen).toHaveLength(60)
            await log.close()
          })
        }
      }
    })
  }

  it('over many records at once is reported as one run', async () => {
    const { image, positions, ringStart } = await filled(true)
    image.fill(0, ringStart + positions[20], ringStart + positions[41])
    const { log } = await open(image, { damaged: 'skip' })
    expect(log.recovery.lost).toMatchObject([{ first: 20, last: 40 }])
  })

  it('after the log was opened shows in reads and in scrub, and harms no other record', async () => {
    const { rig, positions, ringStart } = await filled(true)
    await rig.run(async () => {
      const log = await openLog(rig.medium)
      for (const i of [7, 8, 33]) rig.disk.media[ringStart + positions[i] + 50] ^= 4
      const report = await log.scrub()
      expect(report.lost).toMatchObject([
        { first: 7, last: 8 },
        { first: 33, last: 33 },
      ])
      expect(report.records).toBe(57)
      await expect(log.read(33)).rejects.toMatchObject({ code: 'EUCLEAN' })
      expect(await log.read(34)).toEqual(record(34))
      await expect(log.visit(() => true)).rejects.toMatchObject({ code: 'EUCLEAN' })
    })
  })
})

describe('media errors', () => {
  it('in a block that cannot be read cost the records in it, and are never taken for the end', async () => {
    for (const clean of [true, false]) {
      const { image, positions, ringStart } = await filled(clean)
      const bad = ringStart + positions[25] - (positions[25] % BLOCK)
      const fault: Fault = ({ opcode, position, length }) =>
        opcode === BLOCK_READ && position <= bad && position + length > bad ? -5 : undefined
      await expect(open(image, {}, fault)).rejects.toMatchObject({ code: 'EUCLEAN' })
      const { rig, log } = await open(image, { damaged: 'skip' }, fault)
      const [lost] = log.recovery.lost
      expect(lost).toMatchObject({ reason: 'media' })
      expect(lost.first).toBeLessThanOrEqual(25)
      expect(lost.last).toBeGreaterThanOrEqual(25)
      await rig.run(async () => {
        await expect(log.read(25)).rejects.toMatchObject({ code: 'EIO' })
        expect(await log.read(lost.last + 1)).toEqual(record(lost.last + 1))
      })
    }
  })

  it.for([
    ['a device that is gone', -19, 'ENODEV'],
    ['a device that does not answer in time', -110, 'ETIMEDOUT'],
  ] as const)('%s fails the opening with its own code', async ([, status, code]) => {
    const { image } = await filled(true)
    await expect(open(image, {}, () => status)).rejects.toMatchObject({ code })
    let reads = 0
    const later: Fault = ({ opcode }) => (opcode === BLOCK_READ && ++reads > 3 ? status : undefined)
    await expect(open(image, { damaged: 'skip' }, later)).rejects.toMatchObject({ code })
  })
})

describe('a write or flush that fails', () => {
  async function failing(fault: Fault): Promise<{ rig: Rig; log: Log; arm: () => void }> {
    const rig = createRig({ blocks: 256, blockSize: BLOCK, volatileCache: true })
    let armed = false
    const medium = faultyMedium(rig.medium, (request) => (armed ? fault(request) : undefined))
    const log = await rig.run(async () => {
      await makeLog(medium)
      return openLog(medium)
    })
    return {
      rig,
      log,
      arm: () => {
        armed = true
      },
    }
  }

  for (const [what, opcode, status, code] of [
    ['flush', BLOCK_FLUSH, -5, 'EIO'],
    ['write', BLOCK_WRITE, -5, 'EIO'],
    ['write to a device that is full', BLOCK_WRITE, -28, 'ENOSPC'],
    ['flush of a device that is gone', BLOCK_FLUSH, -19, 'ENODEV'],
  ] as const) {
    it(`ends the log until it is opened again: ${what}`, async () => {
      let failures = 0
      const { rig, log, arm } = await failing((request) =>
        request.opcode === opcode && failures++ === 0 ? status : undefined,
      )
      await rig.run(async () => {
        for (let i = 1; i <= 5; i++) await log.write(record(i))
        // Written and not flushed: so that the next group needs a flush, and a forced write will not do.
        log.append(record(6), 'buffered')
        await log.read(6)
        arm()
        const statuses: number[] = []
        for (let i = 7; i <= 9; i++) log.append(record(i), 'flushed', (s) => statuses.push(s))
        await expect(log.write(record(10))).rejects.toMatchObject({ code })
        expect(statuses).toEqual([status, status, status])
        // The device works again, but what it lost nobody knows: no later success is reported.
        expect(log.append(record(11))).toBe(status)
        await expect(log.write(record(11))).rejects.toMatchObject({ code, remedy: expect.any(String) })
        await expect(log.sync()).rejects.toMatchObject({ code })
        expect(log.failure).toMatchObject({ code })
        expect(log.counters.snapshot().failed).toBe(4)
        await log.close()
        const again = await openLog(rig.medium)
        expect(again.recovery.clean).toBe(false)
        expect(again.next).toBeGreaterThanOrEqual(6)
        for (let i = 1; i < again.next; i++) expect(await again.read(i)).toEqual(record(i))
        await again.close()
      })
      expect(rig.pool.available).toBe(rig.pool.frameCount)
    })
  }

  it('cancels what is under way when the medium is closed', async () => {
    const { rig, log } = await failing(() => undefined)
    const statuses: number[] = []
    log.append(record(1), 'flushed', (status) => statuses.push(status))
    log.commit()
    rig.medium.close()
    expect(statuses).toEqual([-125])
    expect(log.failure).toMatchObject({ code: 'ECANCELED' })
    await rig.run(() => log.close())
  })
})
