import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkBytes, compareNames, parsePath, resolveOpenOptions } from '../src/index.ts'

const code = (value: string) => expect.objectContaining({ code: value })

describe('paths', () => {
  it('are components behind a slash each', () => {
    expect(parsePath('/')).toEqual([])
    expect(parsePath('/a')).toEqual(['a'])
    expect(parsePath('/a/b c/...')).toEqual(['a', 'b c', '...'])
  })

  it('come back as they were put together, or are refused for a reason that can be seen', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), { maxLength: 20 }),
        (names) => {
          const path = `/${names.join('/')}`
          const isMalformed = names.some((name) => name === '.' || name === '..' || /[/\0]/.test(name))
          const bytes = (text: string) => new TextEncoder().encode(text).byteLength
          const isLong = bytes(path) > 4095 || names.some((name) => bytes(name) > 255)
          if (!isMalformed && !isLong) expect(parsePath(path)).toEqual(names)
          else if (!isMalformed) expect(() => parsePath(path)).toThrow(code('ENAMETOOLONG'))
          else if (!names.some((name) => name.includes('/'))) {
            expect(() => parsePath(path)).toThrow(
              expect.objectContaining({ code: expect.stringMatching(/EINVAL|ENAMETOOLONG/) }),
            )
          }
        },
      ),
    )
  })

  it('never throw anything but a typed error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        try {
          expect(parsePath(text).join('/')).toBe(text.slice(1))
        } catch (error) {
          expect(['EINVAL', 'ENAMETOOLONG']).toContain((error as { code?: string }).code)
        }
      }),
    )
  })
})

it('names have the order of their bytes in UTF-8', () => {
  const name = fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed())
  fc.assert(
    fc.property(name, name, (a, b) => {
      expect(Math.sign(compareNames(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
})

it('options of an open are filled in, and refused where one needs another', () => {
  expect(resolveOpenOptions('/x', { write: true }, 'flushed')).toEqual({
    write: true,
    create: false,
    exclusive: false,
    truncate: false,
    append: false,
    durability: 'flushed',
  })
  for (const wrong of [{ exclusive: true }, { truncate: true }, { append: true }]) {
    expect(() => resolveOpenOptions('/x', wrong, 'buffered')).toThrow(code('EINVAL'))
  }
})

it('numbers of bytes are whole, not negative and below 2^53', () => {
  for (const good of [0, 1, Number.MAX_SAFE_INTEGER]) expect(checkBytes(good, 'x')).toBe(good)
  for (const bad of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) expect(() => checkBytes(bad, 'x')).toThrow(code('EINVAL'))
  expect(() => checkBytes(0, 'x', 1)).toThrow(code('EINVAL'))
})
