import { PassThrough } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { connectAll } from '../src/client/find.ts'
import { program } from '../src/program.ts'
import { LiveView } from '../src/view/live-view.ts'
import { quantile } from '../src/view/rates.ts'
import { Watched } from '../src/view/watched.ts'
import { ownDirectory, underLoad } from './support/machines.ts'

/** A terminal of so many columns and rows that keeps what is written to it. */
function fakeTerminal(columns: number, rows: number) {
  let written = ''
  const screen = Object.assign(new PassThrough(), { columns, rows, isTTY: true, hasColors: () => true })
  screen.on('data', (chunk: Buffer) => {
    written += String(chunk)
  })
  let isRaw = false
  const keys = Object.assign(new PassThrough(), {
    setRawMode(raw: boolean) {
      isRaw = raw
    },
  })
  return {
    screen: screen as unknown as NodeJS.WriteStream,
    keys: keys as unknown as NodeJS.ReadStream,
    press: (key: string) => void keys.write(key),
    isRaw: () => isRaw,
    written: () => written,
    /** The last picture, without the sequences that move and colour. */
    lines: () => {
      const picture = written.slice(written.lastIndexOf('\x1b[H'))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is taken out
      return picture.replaceAll(/\x1b\[[?0-9;]*[A-Za-z]/g, '').split('\r\n')
    },
  }
}

test('the live view redraws in place, sorts, pauses, and gives the terminal back', async () => {
  ownDirectory()
  await underLoad()
  const terminal = fakeTerminal(120, 20)
  const out = { out: () => {}, err: () => {}, screen: terminal.screen, keys: terminal.keys }
  const ended = program(['top', '--interval', '0.1'], out, new AbortController().signal)
  await expect.poll(() => terminal.lines().join('\n'), { timeout: 20_000 }).toContain('busy/1')
  expect(terminal.isRaw()).toBe(true)
  expect(terminal.written().startsWith('\x1b[?1049h\x1b[?25l')).toBe(true)
  expect(terminal.lines()[0]).toMatch(/^parakernel top {2}\d\d:\d\d:\d\d {2}1 machine {2}2 partitions$/)
  expect(terminal.lines().at(-1)).toMatch(/^q quit/)
  for (const line of terminal.lines()) expect(line.length).toBeLessThanOrEqual(120)

  terminal.press('ss')
  await expect.poll(() => terminal.lines()[2]).toContain('MACHINEv')
  expect(terminal.lines()[3]).toContain('busy/1')
  terminal.press('r')
  await expect.poll(() => terminal.lines()[2]).toContain('MACHINE^')
  expect(terminal.lines()[3]).toContain('busy/0')
  terminal.press('u')
  await expect.poll(() => terminal.lines()[2]).not.toMatch(/[v^]\s/)

  terminal.press('p')
  await expect.poll(() => terminal.lines()[0]).toContain('PAUSED')
  const still = terminal.lines().slice(1)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(terminal.lines().slice(1)).toEqual(still)

  terminal.press('q')
  expect(await ended).toBe(0)
  expect(terminal.isRaw()).toBe(false)
  expect(terminal.written().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true)
})

test('a small terminal shows what fits', async () => {
  ownDirectory()
  await underLoad()
  const terminal = fakeTerminal(30, 4)
  const watched = new Watched(
    await connectAll({ out: () => {}, err: () => {}, screen: undefined, keys: undefined }),
    50,
  )
  onTestFinished(() => watched.close())
  const view = new LiveView(terminal.screen, undefined, watched, () => {})
  onTestFinished(() => view.close())
  await watched.whenComplete(new AbortController().signal)
  view.draw()
  expect(terminal.lines()).toHaveLength(4)
  for (const line of terminal.lines()) expect(line.length).toBeLessThanOrEqual(30)
})

test('quantiles of counts by power of two lie within their bucket', () => {
  expect(quantile([], 0.5)).toBe(0)
  expect(quantile([5], 0.99)).toBe(0)
  // 100 values from 512 to 1023.
  const counts: number[] = Array.from({ length: 32 }, (_, i) => (i === 10 ? 100 : 0))
  expect(quantile(counts, 0.5)).toBe(768)
  expect(quantile(counts, 1)).toBe(1024)
  counts[20] = 1
  expect(quantile(counts, 0.5)).toBeLessThan(1024)
  expect(quantile(counts, 0.995)).toBeGreaterThan(2 ** 19)
})
