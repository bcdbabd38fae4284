import { Pdpix } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'

/** Every call in one place, dispatched by descriptor. */
export const pdpix: Section = {
  name: 'through Pdpix',
  cases(define) {
    define('a file, and a pipe from it to a memory queue', async (subject) => {
      const { libos, runtime, pool } = subject
      const all = new Pdpix({ runtime, pool, storage: libos })
      await subject.file('/file', 'of the file')
      const file = all.open('/file', { write: true })
      expect(all.seek(file, 3)).toBe(3)
      await subject.done(all.truncate(file, 6), 'push')
      const memory = all.queue()
      const pipe = all.qconnect(file, memory)
      expect(await subject.poppedText(all.pop(memory))).toBe('the')
      expect(await subject.poppedText(all.pop(pipe))).toBe('')
      for (const queue of [pipe, memory]) all.close(queue)
      await subject.done(all.asyncClose(file), 'close')
      const made = all.creat('/made')
      const sga = all.sgaAlloc(100)
      const push = all.push(made, sga)
      all.sgaFree(sga)
      expect((await subject.done(push, 'push')).bytes).toBe(100)
      all.close(made)
      expect(() => all.bind(made, { address: '0.0.0.0', port: 0 })).toThrow(expect.objectContaining({ code: 'EBADF' }))
      expect(runtime.outstanding).toBe(0)
    })

    define(
      'one object over files, sockets and memory queues',
      async (subject) => {
        const { libos, runtime, pool } = subject
        const network = subject.fixture.network
        if (network === undefined) throw new Error('the fixture has no network')
        const all = new Pdpix({ runtime, pool, storage: libos, network: network.libos })
        const [one, two] = [all.socket('datagram'), all.socket('datagram')]
        for (const qd of [one, two]) all.bind(qd, { address: network.address, port: 0 })
        await all.completion(all.connect(one, all.getsockname(two)))
        await subject.file('/file', 'through three queues')
        const file = all.open('/file')
        const memory = all.queue()
        const pipes = [all.qconnect(file, memory), all.qconnect(memory, one)]
        expect(await subject.poppedText(all.pop(two))).toBe('through three queues')
        for (const qd of [...pipes, memory, file, one, two]) all.close(qd)
      },
      { needs: 'network' },
    )
  },
}
