import { PassThrough } from 'node:stream'
import { serialize } from 'node:v8'
import type { ParakernelError } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FramedChannel } from '../../src/process/channel.ts'
import { checkFromProcess } from '../../src/process/protocol.ts'

function receiver() {
  const stream = new PassThrough()
  const got: unknown[] = []
  const ends: (ParakernelError | undefined)[] = []
  const channel = new FramedChannel(
    stream,
    'it',
    (message) => got.push(message),
    (error) => ends.push(error),
  )
  return { stream, got, ends, channel }
}

function framed(...messages: unknown[]): Buffer {
  return Buffer.concat(
    messages.map((message) => {
      const body = serialize(message)
      const header = Buffer.alloc(4)
      header.writeUInt32LE(body.length)
      return Buffer.concat([header, body])
    }),
  )
}

test('messages arrive whole and in order, however the stream is cut', async () => {
  const message = fc.oneof(fc.string(), fc.integer(), fc.record({ a: fc.uint8Array({ maxLength: 300 }) }))
  await fc.assert(
    fc.asyncProperty(fc.array(message), fc.array(fc.integer({ min: 1, max: 40 })), async (messages, cuts) => {
      const { stream, got, ends } = receiver()
      let bytes = framed(...messages)
      for (const cut of cuts) {
        stream.write(bytes.subarray(0, cut))
        bytes = bytes.subarray(cut)
        await new Promise(setImmediate)
      }
      stream.end(bytes)
      await expect.poll(() => ends.length).toBe(1)
      expect(got).toEqual(messages)
      expect(ends).toEqual([undefined])
    }),
    { numRuns: 50 },
  )
})

test('garbage ends the channel with EPROTO, and throws into nobody', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 64 }), async (garbage) => {
      const { stream, got, ends } = receiver()
      const header = Buffer.alloc(4)
      header.writeUInt32LE(garbage.length)
      stream.write(Buffer.concat([header, garbage]))
      stream.end()
      await expect.poll(() => ends.length + got.length).toBeGreaterThan(0)
      if (got.length === 0) expect(ends[0]?.code).toBe('EPROTO')
    }),
    { numRuns: 200 },
  )
})

test('a length beyond all messages is refused before it is waited for', async () => {
  const { stream, ends } = receiver()
  stream.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 1]))
  await expect.poll(() => ends).toMatchObject([{ code: 'EPROTO', message: expect.stringContaining('too long') }])
})

test('who does not read fills no memory', () => {
  const stream = new PassThrough({ highWaterMark: 1 })
  const channel = new FramedChannel(
    stream,
    'it',
    () => {},
    () => {},
  )
  stream.pause()
  const send = () => {
    for (let i = 0; i < 64; i++) channel.send(new Uint8Array(1 << 20))
  }
  expect(send).toThrow(expect.objectContaining({ code: 'ENOBUFS', subject: 'it' }))
  expect(stream.writableLength).toBeLessThan(40 << 20)
})

test('what is no message of a partition is none', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(checkFromProcess(value)).toBe(undefined)
    }),
  )
  for (const kind of ['returned', 'threw', 'grant', 'constructor', 1])
    expect(checkFromProcess({ kind })).toBe(undefined)
  expect(checkFromProcess({ kind: 'crashed', error: { message: 1, code: {}, typed: true } })).toMatchObject({
    error: { message: 'without a message', code: undefined, typed: false },
  })
})
