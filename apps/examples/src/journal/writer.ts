import { isMainThread } from 'node:worker_threads'
import { startStorage } from '@parakernel/config'
import { ParakernelError } from '@parakernel/hal'
import { CompletionQueue, retryAfterSync, sgaFromText } from '@parakernel/queue'
import { acting, type EndContext, Transcript } from '../end.ts'

interface Settings {
  readonly count: number
  readonly path: string
  readonly crash: 'partition' | 'process'
}

/** Pushes to a file as others push to a socket. A push of this descriptor completes when its record is on stable media. */
export async function partition(context: EndContext<Settings>) {
  const { count, path, crash } = context.data.settings
  if (crash === 'partition' && isMainThread) {
    const remedy = 'Use --run workers, or --crash process'
    throw new ParakernelError('EINVAL', 'a thread that others share cannot crash alone', {
      subject: context.name,
      remedy,
    })
  }
  const storage = await startStorage(context)
  const transcript = new Transcript()

  const { methods } = acting(transcript, async () => {
    const options = { write: true, create: true, truncate: true, append: true, durability: 'flushed' } as const
    const file = await retryAfterSync(storage, () => storage.open(path, options))

    // All are under way at once, and share flushes.
    const completions = new CompletionQueue(storage.runtime)
    const append = (text: string) => {
      const record = sgaFromText(storage.pool, `${text}\n`)
      const token = storage.push(file, record)
      record.free()
      return token
    }
    for (let i = 1; i <= count; i++) completions.add(append(`record ${i}`))
    let acknowledged = 0
    for await (const done of completions) {
      if (done.kind !== 'push') throw new Error(`a record was lost: ${JSON.stringify(done)}`)
      transcript.progress = `${++acknowledged} of ${count}`
    }
    transcript.say(`${acknowledged} records acknowledged`)
    transcript.figure('durable', storage.durability.promise)

    // Nobody waits for this one: it may survive the crash or not.
    storage.runtime.notify(append('never acknowledged'), () => {})
    transcript.say('one more is under way')
  })

  return {
    methods: {
      ...methods,
      crash() {
        if (crash === 'process') process.kill(process.pid, 'SIGKILL')
        setImmediate(() => {
          throw new Error('a crash, as ordered')
        })
      },
    },
  }
}
