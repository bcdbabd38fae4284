import { startNetwork } from '@parakernel/config'
import type { PartitionContext } from '@parakernel/kernel'

export interface TranscriptStep {
  readonly port: number
  readonly bytes: Uint8Array
}

/** A client on a libOS that asks one thing after the other and returns the first datagram of each answer. */
export async function partition(context: PartitionContext<{ readonly address: string }>) {
  const libos = await startNetwork(context)
  const socket = libos.socket('datagram')
  libos.bind(socket, { address: '0.0.0.0', port: 41_000 })
  return {
    methods: {
      async ask(steps: readonly TranscriptStep[]): Promise<string[]> {
        const answers: string[] = []
        for (const { port, bytes } of steps) {
          const sga = libos.sgaAlloc(bytes.length)
          let at = 0
          for (const [i, { length }] of sga.segments.entries()) {
            sga.slice(i).set(bytes.subarray(at, at + length))
            at += length
          }
          await libos.runtime.completion(libos.pushTo(socket, sga, { address: context.data.address, port }))
          sga.free()
          const popped = await libos.runtime.completion(libos.pop(socket))
          if (popped.kind !== 'pop') throw new Error(`no answer: ${popped.kind}`)
          answers.push(Buffer.from(popped.sga.toBytes()).toString('hex'))
          popped.sga.free()
          // What comes beyond the first datagram of an answer is not looked at.
          await new Promise((resolve) => setTimeout(resolve, 20))
          for (;;) {
            const more = libos.pop(socket)
            if (libos.runtime.cancel(more)) break
            const rest = await libos.runtime.completion(more)
            if (rest.kind === 'pop') rest.sga.free()
          }
        }
        return answers
      },
    },
  }
}
