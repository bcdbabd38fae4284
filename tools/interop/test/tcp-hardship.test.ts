import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Lab, type LabOptions, OUR_ADDRESS } from '../src/lab.ts'
import { note } from '../src/note.ts'
import { patternHash } from '../src/programs/pattern.ts'
import { gigabits, succeed, withPrograms } from '../src/with-programs.ts'

const MEBIBYTE = 1 << 20
/** MiB each way: 24, or what `INTEROP_HARDSHIP` says. 1,024 take some minutes. */
const SIZE = Number(process.env['INTEROP_HARDSHIP'] ?? 24)
const LENGTH = SIZE * MEBIBYTE
/** What a wire of the worst kind does to packets, each way. */
const FAULTS = { probe: 'faults', seed: 42, loss: 0.05, reorder: 0.05, duplicate: 0.05, corrupt: 0.05 }
/** Long before, on a machine that has nothing else to do. */
const TIMEOUT = 180_000 + SIZE * 1000

describe(`${SIZE} MiB over a wire that loses, reorders, doubles and corrupts one packet in twenty of each`, () => {
  const options: LabOptions = {
    // A congestion control that knows nothing but loss would crawl here, and rightly so: what is tested is that nothing is lost.
    network: { probes: [FAULTS], tcpCongestionControl: 'none' },
    programTimeout: TIMEOUT,
  }

  async function timed(lab: Lab, way: string, command: string): Promise<string> {
    const begin = performance.now()
    const output = await succeed(lab, 'sh', '-c', command)
    note(`faults, ${way}: ${gigabits(LENGTH / ((performance.now() - begin) / 1000))}`)
    return output
  }

  test(
    'come from us whole',
    (context) => {
      const body = async (lab: Lab) => {
        const command = `curl -sS --fail http://${OUR_ADDRESS}/bytes/${LENGTH} | sha256sum`
        expect(await timed(lab, 'from us', command)).toContain(patternHash(LENGTH))
      }
      return withPrograms(context, 'hdg', 'af-xdp', ['curl', 'sha256sum'], body, options)
    },
    2 * TIMEOUT,
  )

  test(
    'come to us whole',
    (context) => {
      const body = async (lab: Lab) => {
        const command = `head -c ${LENGTH} /dev/zero | curl -sS --fail -T - http://${OUR_ADDRESS}/`
        expect(JSON.parse(await timed(lab, 'to us', command))).toEqual({ bytes: LENGTH, sha256: hashOfZeros() })
      }
      return withPrograms(context, 'hdp', 'af-xdp', ['curl'], body, options)
    },
    2 * TIMEOUT,
  )
})

function hashOfZeros(): string {
  const hash = createHash('sha256')
  const zeros = Buffer.alloc(MEBIBYTE)
  for (let i = 0; i < SIZE; i++) hash.update(zeros)
  return hash.digest('hex')
}
