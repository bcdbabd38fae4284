import { startStorage } from '@parakernel/config'
import { openFile } from '@parakernel/queue'
import { acting, type EndContext, Transcript } from '../end.ts'

/** What is there after the crash: all that was acknowledged, in order, and perhaps some of what was not. */
export async function partition(context: EndContext<{ readonly count: number; readonly path: string }>) {
  const storage = await startStorage(context)
  const transcript = new Transcript()

  return acting(transcript, async () => {
    const { count, path } = context.data.settings
    await using file = await openFile(storage, path)
    // A record ends with its line: what follows the last one was cut off.
    const records = (await file.text()).split('\n').slice(0, -1)
    for (const record of records.slice(0, count)) transcript.say(record)
    transcript.say(`${Math.min(count, records.length)} of ${count} records are there`)
    transcript.figure('records that nobody was promised', Math.max(0, records.length - count))
  })
}
