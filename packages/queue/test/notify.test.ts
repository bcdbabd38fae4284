import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { describe, expect, it } from 'vitest'
import { type Completion, createQueueRuntime } from '../src/index.ts'
import { Emitter } from '../src/streams/emitter.ts'

function setup() {
  const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }))
  return { runtime, qd: runtime.open({ cancel: () => {} }) }
}

describe('notify', () => {
  it('calls back at once with what is complete, and later with what is not, once', () => {
    const { runtime, qd } = setup()
    const heard: Completion[] = []
    const [first, second] = [runtime.issue(qd), runtime.issue(qd)]
    runtime.completePush(first, 7)
    runtime.notify(first, (completion) => heard.push(completion))
    expect(heard).toEqual([{ kind: 'push', qd, token: first, bytes: 7 }])
    runtime.notify(second, (completion) => heard.push(completion))
    expect(heard.length).toBe(1)
    runtime.completePush(second, 8)
    expect(heard.slice(1)).toEqual([{ kind: 'push', qd, token: second, bytes: 8 }])
    runtime.completePush(second, 9)
    expect(heard.length).toBe(2)
    expect(runtime.outstanding).toBe(0)
  })

  it('redeems the token: nobody else may', () => {
    const { runtime, qd } = setup()
    const token = runtime.issue(qd)
    runtime.notify(token, () => {})
    const taken = expect.objectContaining({ code: 'EINVAL' })
    expect(() => runtime.notify(token, () => {})).toThrow(taken)
    expect(() => runtime.wait(token)).toThrow(taken)
    expect(() => runtime.waitAny([token])).toThrow(taken)
    runtime.completePush(token, 1)
    expect(() => runtime.notify(token, () => {})).toThrow(taken)
    expect(runtime.waitNext(0)).toBeUndefined()
  })

  it('hears of a cancel and of a close', () => {
    const { runtime, qd } = setup()
    const codes: string[] = []
    const note = (completion: Completion) =>
      codes.push(completion.kind === 'failed' ? completion.code : completion.kind)
    const [first, second] = [runtime.issue(qd), runtime.issue(qd)]
    runtime.notify(first, note)
    runtime.notify(second, note)
    expect(runtime.cancel(first)).toBe(true)
    runtime.close(qd)
    expect(codes).toEqual(['ECANCELED', 'ECANCELED'])
  })

  it('may take a member of a wait group away', () => {
    const { runtime, qd } = setup()
    const tokens = [runtime.issue(qd), runtime.issue(qd), runtime.issue(qd)]
    runtime.completePush(tokens[0], 1)
    expect(runtime.waitAny(tokens).index).toBe(0)
    const heard: number[] = []
    runtime.notify(tokens[1], (completion) => heard.push(completion.token))
    runtime.completePush(tokens[1], 2)
    runtime.completePush(tokens[2], 3)
    expect(heard).toEqual([tokens[1]])
    expect(runtime.waitAny([tokens[2]]).completion).toMatchObject({ bytes: 3 })
  })
})

describe('the emitter of streams', () => {
  it('calls the listeners of an event in their order, until they are taken away', () => {
    const emitter = new Emitter<{ number: number; end: undefined }>()
    const heard: string[] = []
    const stop = emitter.on('number', (value) => heard.push(`first ${value}`))
    emitter.on('number', (value) => {
      heard.push(`second ${value}`)
      // Taken away in the midst of an event: it still hears that one.
      stop()
    })
    emitter.emit('number', 1)
    emitter.emit('number', 2)
    emitter.emit('end', undefined)
    expect(heard).toEqual(['first 1', 'second 1', 'second 2'])
  })
})
