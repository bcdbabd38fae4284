import { afterEach, describe, expect, it, vi } from 'vitest'
import { Progress } from '../src/report/progress.ts'

function stream(properties: { isTTY?: boolean; columns?: number }) {
  let written = ''
  const write = (text: string) => {
    written += text
    return true
  }
  return { stream: { ...properties, write } as unknown as NodeJS.WriteStream, written: () => written }
}

describe('progress', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('is one line of a terminal, cut to its width and erased in the end', () => {
    vi.stubEnv('TERM', 'xterm')
    const { stream: terminal, written } = stream({ isTTY: true, columns: 10 })
    const progress = new Progress(terminal)
    progress.update('0123456789abc')
    progress.update('short')
    progress.end()
    progress.end()
    expect(written()).toBe('\r012345678\x1b[K\rshort\x1b[K\r\x1b[K')
  })

  it.each([
    ['a file', {}, 'xterm'],
    ['a terminal that cannot erase', { isTTY: true }, 'dumb'],
  ])('is a plain line now and then in %s', (_, properties, term) => {
    vi.stubEnv('TERM', term)
    const { stream: plain, written } = stream(properties)
    const progress = new Progress(plain)
    progress.update('one')
    progress.update('too early')
    progress.end()
    expect(written()).toBe('one\n')
  })
})
