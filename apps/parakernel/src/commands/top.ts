import { setTimeout as sleep } from 'node:timers/promises'
import { connectAll, connectOne, nothingFound } from '../client/find.ts'
import { EXIT, Failure } from '../exit-codes.ts'
import { LiveView } from '../view/live-view.ts'
import { tableOf } from '../view/table.ts'
import { Watched } from '../view/watched.ts'
import type { Command, Invocation } from './command.ts'
import { secondsOf } from './flags.ts'

/** Milliseconds between two looks for processes that are new. */
const LOOK_AGAIN = 2000

export const top: Command = {
  name: 'top',
  description: 'shows what the partitions of running machines do, as it goes on',
  words: '[socket|pid]',
  least: 0,
  most: 1,
  args: {
    interval: {
      type: 'string',
      valueHint: 'n',
      description: 'seconds between two pictures; 1 unless told',
      default: '1',
    },
    once: { type: 'boolean', description: 'print one picture, of one interval, and end' },
    json: { type: 'boolean', description: 'print JSON, a line each picture: rates a second, times in nanoseconds' },
  },
  examples: ['top', 'top 4711 --interval 0.2', 'top --once --json'],
  async run(invocation) {
    const { words, args, terminal } = invocation
    const interval = secondsOf(args, 'interval', 0.05, 3600) * 1000
    const [word] = words
    const connections = word === undefined ? await connectAll(terminal) : [await connectOne(word, terminal)]
    if (connections.length === 0) throw nothingFound()
    const watched = new Watched(connections, interval)
    try {
      if (args['once'] === true) return await once(watched, invocation)
      return await live(watched, interval, word === undefined, invocation)
    } finally {
      watched.close()
    }
  },
}

async function once(watched: Watched, { json, terminal, signal }: Invocation): Promise<number> {
  await watched.whenComplete(signal)
  if (signal.aborted) return EXIT.interrupted
  if (watched.size === 0) throw new Failure(EXIT.ended, watched.farewell)
  if (json) terminal.out(JSON.stringify({ rows: watched.rows() }, null, 2))
  else for (const line of tableOf(watched.rows())) terminal.out(line)
  return EXIT.ok
}

async function live(
  watched: Watched,
  interval: number,
  looksForMore: boolean,
  invocation: Invocation,
): Promise<number> {
  const { json, terminal, signal } = invocation
  const quit = new AbortController()
  const either = AbortSignal.any([signal, quit.signal])
  const view =
    terminal.screen === undefined || json
      ? undefined
      : new LiveView(terminal.screen, terminal.keys, watched, () => quit.abort())
  try {
    let next = LOOK_AGAIN
    for (let time = 0; watched.size > 0 && !either.aborted; time += interval) {
      await Promise.race([sleep(interval, undefined, { signal: either }), watched.ended]).catch(() => {})
      if (either.aborted || watched.size === 0) break
      if (view !== undefined) view.draw()
      else if (json) terminal.out(JSON.stringify({ rows: watched.rows() }))
      else if (watched.rows().length > 0) for (const line of [...tableOf(watched.rows()), '']) terminal.out(line)
      if (looksForMore && time >= next) {
        next = time + LOOK_AGAIN
        void look(watched, invocation, either)
      }
    }
  } finally {
    view?.close()
  }
  if (quit.signal.aborted) return EXIT.ok
  if (signal.aborted) return EXIT.interrupted
  throw new Failure(EXIT.ended, watched.farewell)
}

/** Takes processes in that are new. One that hangs holds nothing up, and is no news either. */
async function look(watched: Watched, { terminal }: Invocation, ended: AbortSignal): Promise<void> {
  for (const one of await connectAll({ ...terminal, err: () => {} }, watched.paths)) {
    if (ended.aborted || watched.size === 0 || watched.paths.has(one.path)) one.close()
    else watched.add(one)
  }
}
