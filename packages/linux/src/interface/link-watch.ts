import type { Watcher } from '@parakernel/hal'
import { watchDescriptor } from '../wait/uv-poll.ts'
import type { LinkState } from './link-message.ts'
import { LinkMonitor } from './netlink.ts'

/** Where Node's loop cannot watch the descriptor (in a worker), news is looked for this often. */
const POLL_MS = 50

export interface LinkWatch {
  /** Hands on the news that has come in by now, without waiting for the loop. */
  refresh(): void
  close(): void
}

/** Calls `changed` for each state that the kernel announces of an interface. Does not keep the process alive. */
export function watchLink(interfaceIndex: number, changed: (state: LinkState) => void): LinkWatch {
  const monitor = new LinkMonitor(interfaceIndex)
  const refresh = () => {
    for (const state of monitor.drain()) changed(state)
  }
  let watcher: Watcher | undefined
  try {
    watcher = watchDescriptor(monitor.descriptor, () => {
      refresh()
      watcher?.resume()
    })
    watcher?.resume()
  } catch (error) {
    watcher?.close()
    monitor.close()
    throw error
  }
  const timer = watcher === undefined ? setInterval(refresh, POLL_MS).unref() : undefined
  return {
    refresh,
    close() {
      watcher?.close()
      clearInterval(timer)
      monitor.close()
    },
  }
}
