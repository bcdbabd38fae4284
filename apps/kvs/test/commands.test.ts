import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { probeLab, removeStale } from '@parakernel/linux'
import { describe, expect, it } from 'vitest'

const MAIN = new URL('../src/main.ts', import.meta.url).pathname

function kvs(...args: string[]) {
  return spawnSync(process.execPath, ['--conditions=source', MAIN, ...args], { encoding: 'utf8' })
}

describe('the program', () => {
  it('runs the main job, ends well and leaves a report', () => {
    const report = new URL(`./report-${process.pid}.html`, import.meta.url).pathname
    try {
      const settings = ['--duration', '0.5', '--keys', '2000', '--report', report, '--partitions', '2', '--verify']
      const { status, stdout, stderr } = kvs(...settings)
      expect([status, stderr.includes('FAILED')]).toEqual([0, false])
      expect(stdout).toMatch(/wrong reads +0/)
      expect(stdout).toMatch(/read back +\d/)
      expect(stdout).toMatch(/device drops/)
      const html = readFileSync(report, 'utf8')
      expect(html).toContain('Every value that was read was right.')
      expect(html).not.toMatch(/(src|href)=["']https?:/)
    } finally {
      rmSync(report, { force: true })
    }
  })

  it('keeps a schedule in the open loop', () => {
    const { status, stdout } = kvs(
      'run',
      '--duration',
      '1',
      '--keys',
      '1000',
      '--report',
      'none',
      '--app.rate',
      '20000',
    )
    expect(status).toBe(0)
    const [, count] = /operations +([\d.]+) k/.exec(stdout)!
    expect(Number(count)).toBeGreaterThan(15)
    expect(Number(count)).toBeLessThan(21)
  })

  it('is never wrong over a NIC that loses, doubles, reorders and damages packets', () => {
    const faults = [{ probe: 'faults', loss: 0.02, duplicate: 0.02, reorder: 0.02, corrupt: 0.01 }]
    const settings = ['--duration', '1', '--keys', '2000', '--report', 'none', '--workload', 'mica-small-uniform-50']
    const { stdout, stderr } = kvs('run', ...settings, '--network.probes', JSON.stringify(faults))
    expect(stdout).toMatch(/retries +[1-9]/)
    expect(stdout).toMatch(/rxDroppedFault [1-9]/)
    // An early copy of a write may bring an old version back, as UDP allows; nothing else may happen.
    expect(stderr).not.toMatch(/never written|never answered|refused/)
  })

  it('says what it can, and what is wrong with a setting', () => {
    expect(kvs('--help').stdout).toMatch(/af-xdp/)
    expect(kvs('serve', '--help').stdout).toMatch(/--app\.memcachedPort/)
    expect(kvs('serve', '--print-config').stdout).toMatch(/app\.port +9000/)
    const wrong = kvs('--workload', 'ycsb-z')
    expect([wrong.status, /ycsb-a/.test(wrong.stderr)]).toEqual([2, true])
    expect(kvs('nonsense').status).toBe(2)
    const word = kvs('run', 'ycsb-a')
    expect([word.status, word.stderr]).toEqual([2, 'kvs run: takes no words, only settings: ycsb-a\n'])
    const few = kvs('--heap', '1KiB')
    expect(few.stderr).toMatch(/^kvs: partition kvs: did not start: .*\(ENOSPC\)\. Give each partition \d+KiB or more/)
    expect(few.stderr.match(/ENOSPC/g)).toHaveLength(1)
    const report = kvs('--duration', '0.1', '--keys', '10', '--report', '/nowhere/report.html')
    expect(report.stderr).toMatch(/kvs: the report cannot be written: .*--report none/)
    expect([report.status, /wrong reads/.test(report.stdout)]).toEqual([1, true])
    expect(kvs('load', '--app.port', '1', '--keys', '1').status).toBe(1)
  })

  it('serves until it is told to stop, and says when nobody can come', async () => {
    for (const [libos, hint] of [
      ['net', /^serving at 10\.0\.0\.1, native at 19000, memcached at 19211\nNobody outside/],
      ['host', /^serving at 127\.0\.0\.1, native at 19000, memcached at 19211\n$/],
    ] as const) {
      const args = ['serve', '--libos', libos, '--app.port', '19000', '--app.memcachedPort', '19211']
      const child = spawn(process.execPath, ['--conditions=source', MAIN, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let printed = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text))
      const exited = new Promise((resolve) => child.once('exit', resolve))
      await expect.poll(() => printed, { timeout: 10_000 }).toMatch(hint)
      child.kill('SIGTERM')
      expect(await exited).toBe(0)
    }
  })

  describe('af-xdp', () => {
    /** The demonstration with its load running, and the processes inside its namespace. */
    async function start() {
      const args = ['--conditions=source', MAIN, 'af-xdp', '--duration', '60', '--keys', '1000', '--report', 'none']
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
      const name = `pk-kvs-${child.pid}`
      let printed = ''
      const loaded = new Promise<void>((resolve) => {
        child.stderr.on('data', (text) => {
          printed += text
          if (printed.includes('op/s')) resolve()
        })
      })
      const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
      await Promise.race([loaded, exited])
      expect(existsSync(`/run/netns/${name}`)).toBe(true)
      const inside = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).trim()
      expect(inside).not.toBe('')
      const load = `/proc/${inside.split(/\s+/)[0]}/task`
      return { child, name, exited, load, printed: () => printed }
    }

    it('takes its veth pair and its child down when it is interrupted', async (ctx) => {
      const lab = probeLab()
      if (!lab.available) return ctx.skip(`AF_XDP needs ${lab.missing}`)
      const { child, name, exited, load } = await start()
      child.kill('SIGINT')
      expect(await exited).toBe(130)
      expect(existsSync(`/run/netns/${name}`)).toBe(false)
      expect(existsSync(`/sys/class/net/${name}`)).toBe(false)
      await expect.poll(() => existsSync(load), { timeout: 5000 }).toBe(false)
    })

    it('ends with 130 at Ctrl-C, which the terminal sends to its load too', async (ctx) => {
      const lab = probeLab()
      if (!lab.available) return ctx.skip(`AF_XDP needs ${lab.missing}`)
      const { child, name, exited } = await start()
      process.kill(-child.pid!, 'SIGINT')
      expect(await exited).toBe(130)
      expect(existsSync(`/run/netns/${name}`)).toBe(false)
    })

    it('says that its load was killed', async (ctx) => {
      const lab = probeLab()
      if (!lab.available) return ctx.skip(`AF_XDP needs ${lab.missing}`)
      const { name, exited, load, printed } = await start()
      process.kill(Number(load.split('/')[2]), 'SIGKILL')
      expect(await exited).toBe(137)
      expect(printed()).toMatch(/kvs af-xdp: the load was ended by SIGKILL/)
      expect(existsSync(`/run/netns/${name}`)).toBe(false)
    })

    it('leaves no load behind when it is killed, and no pair once another is made', async (ctx) => {
      const lab = probeLab()
      if (!lab.available) return ctx.skip(`AF_XDP needs ${lab.missing}`)
      const { child, name, exited, load } = await start()
      child.kill('SIGKILL')
      await exited
      await expect.poll(() => existsSync(load), { timeout: 5000 }).toBe(false)
      // Whoever makes the next pair does this.
      removeStale()
      expect(existsSync(`/sys/class/net/${name}`)).toBe(false)
      expect(existsSync(`/run/netns/${name}`)).toBe(false)
    })
  })
})
