import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createHost } from '@parakernel/linux'
import { describe, expect, it, type TestContext } from 'vitest'

const script = new URL('./workers/idle-process.ts', import.meta.url).pathname
const run = promisify(execFile)

/** The share of a core that an otherwise empty process uses with one idle partition: the least of a few half seconds. */
async function measure(what: string): Promise<void> {
  const { stdout } = await run(process.execPath, ['--conditions=source', script, what, 'hybrid'])
  const { share, rounds } = JSON.parse(stdout)
  console.log(`${what}: ${(share * 100).toFixed(2)} % of a core, ${rounds} rounds in 500 ms`)
  expect(rounds).toBeGreaterThan(0)
  expect(share).toBeLessThan(0.02)
}

function needHost(context: TestContext): void {
  try {
    createHost()
  } catch (error) {
    context.skip(`no host to poll with: ${(error as Error).message}`)
  }
}

describe('an idle hybrid partition uses under 2 % of a core', () => {
  it('in a worker, asleep on its word', () => measure('worker-word'))

  it('in a worker, asleep in poll(2)', (context) => {
    needHost(context)
    return measure('worker-descriptor')
  })

  it('as a guest, waiting for a word', () => measure('guest-word'))

  it('as a guest, waiting for a descriptor', (context) => {
    needHost(context)
    return measure('guest-descriptor')
  })
})
