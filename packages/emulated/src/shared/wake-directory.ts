import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { WakeWord } from '@parakernel/hal'

interface WakeNotice {
  readonly queue: number
  readonly word: SharedArrayBuffer
}

/** What the control thread broadcasts; or, without notices, a thread's request to be told everything. */
type WakeMessage = readonly WakeNotice[]

/**
 * The wake words of the leases that hold a network's queues, as one thread knows them. A word is memory of its own, which
 * reaches a thread with the grant that names it, or, for a queue that is granted later, over a broadcast channel that is
 * read without an event loop, whenever the network's epoch moves on.
 */
export class WakeDirectory {
  /** By queue number in the network. */
  readonly words: (WakeWord | undefined)[] = []
  readonly #buffers: (SharedArrayBuffer | undefined)[] = []
  readonly #channel: BroadcastChannel

  private constructor(channel: BroadcastChannel) {
    this.#channel = channel
    unref(channel)
  }

  /** The control thread's own, which answers the others. */
  static ofControl(network: string): WakeDirectory {
    const directory = new WakeDirectory(new BroadcastChannel(network))
    directory.#channel.onmessage = (event) => {
      const notices = (event as { data: WakeMessage }).data
      if (notices.length === 0) directory.#channel.postMessage(directory.notices())
    }
    // Listening would keep the process alive.
    unref(directory.#channel)
    return directory
  }

  /** Of another thread: starts with what its grant knew, and asks for what came since. */
  static ofWorker(network: string, known: WakeMessage): WakeDirectory {
    const directory = new WakeDirectory(new BroadcastChannel(network))
    for (const notice of known) directory.#note(notice)
    directory.#channel.postMessage([])
    return directory
  }

  /** Everything that is known here: plain clonable data. */
  notices(): WakeMessage {
    return this.#buffers.flatMap((word, queue) => (word === undefined ? [] : [{ queue, word }]))
  }

  /** Control thread: a queue's holder sleeps on `word` from now on. Tell before the epoch moves on. */
  announce(queue: number, word: SharedArrayBuffer): void {
    const notice = { queue, word }
    this.#note(notice)
    this.#channel.postMessage([notice])
  }

  /** Other threads: takes in what was announced. */
  update(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#channel as unknown as MessagePort)
      if (received === undefined) return
      for (const notice of received.message as WakeMessage) this.#note(notice)
    }
  }

  close(): void {
    this.#channel.close()
  }

  #note({ queue, word }: WakeNotice): void {
    if (this.#buffers[queue] === word) return
    this.#buffers[queue] = word
    this.words[queue] = new WakeWord(word)
  }
}

/** The type package does not know that a channel, like a port, can be let go by the event loop. */
function unref(channel: BroadcastChannel): void {
  ;(channel as unknown as { unref(): void }).unref()
}
