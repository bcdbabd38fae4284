import {
  listenStream,
  type NetworkLibOS,
  type SocketAddress,
  type Stream,
  type StreamListener,
} from '@parakernel/queue'
import { BulkReceiver, BulkSender } from './bulk.ts'
import {
  ACCESS_DENIED,
  COOKIE_BYTES,
  CREATE_STREAMS,
  DISPLAY_RESULTS,
  EXCHANGE_RESULTS,
  expectState,
  IPERF_DONE,
  PARAM_EXCHANGE,
  type Parameters,
  type Results,
  readExactly,
  readJson,
  resultsOf,
  SERVER_ERROR,
  TEST_END,
  TEST_RUNNING,
  TEST_START,
  writeJson,
  writeState,
} from './protocol.ts'

/** `IEUNIMP` of iperf3: what was asked for is not implemented. */
const NOT_IMPLEMENTED = 13

/** What one test came to, as both sides saw it. */
export interface TestReport {
  readonly reverse: boolean
  readonly seconds: number
  readonly bytes: readonly number[]
  readonly peer: Results
}

interface Test {
  readonly cookie: string
  /** Called with each data connection. */
  joined: (stream: Stream) => void
}

/** An iperf3 server for TCP, one test at a time, in both directions and with parallel connections. */
export class IperfServer {
  readonly listener: StreamListener
  readonly reports: TestReport[] = []
  readonly failures: string[] = []
  readonly #libos: NetworkLibOS
  #test: Test | undefined

  constructor(libos: NetworkLibOS, address: SocketAddress) {
    this.#libos = libos
    this.listener = listenStream(libos, address)
    this.#serve().catch((error) => this.failures.push(String(error)))
  }

  async #serve(): Promise<void> {
    for await (const stream of this.listener) {
      this.#greet(stream).catch((error) => {
        this.failures.push(String(error))
        stream.abort()
      })
    }
  }

  /** A connection is the control connection of a new test, or a data connection of the one that runs. */
  async #greet(stream: Stream): Promise<void> {
    const cookie = new TextDecoder().decode(await readExactly(stream, COOKIE_BYTES))
    if (this.#test === undefined) {
      const test: Test = { cookie, joined: () => {} }
      this.#test = test
      try {
        await this.#run(test, stream)
      } finally {
        this.#test = undefined
      }
    } else if (this.#test.cookie === cookie) this.#test.joined(stream)
    else {
      await writeState(stream, ACCESS_DENIED)
      await stream.close()
    }
  }

  async #run(test: Test, control: Stream): Promise<void> {
    await writeState(control, PARAM_EXCHANGE)
    const parameters = await readJson<Parameters>(control)
    const { parallel = 1, reverse = false } = parameters
    if (parameters.udp || parameters.bidirectional) {
      await refuse(control)
      return
    }
    const ends: (BulkSender | BulkReceiver)[] = []
    const complete = new Promise<void>((resolve) => {
      test.joined = (stream) => {
        ends.push(new (reverse ? BulkSender : BulkReceiver)(this.#libos, stream.qd))
        if (ends.length === parallel) resolve()
      }
    })
    await writeState(control, CREATE_STREAMS)
    try {
      await complete
      await writeState(control, TEST_START)
      await writeState(control, TEST_RUNNING)
      const start = performance.now()
      for (const end of ends) end.start()
      await expectState(control, TEST_END)
      const seconds = (performance.now() - start) / 1000
      // A client that receives waits for whole blocks: the end of the connection is what lets it go on.
      for (const end of ends) end.close()
      await writeState(control, EXCHANGE_RESULTS)
      const peer = await readJson<Results>(control)
      const bytes = ends.map((end) => end.bytes)
      await writeJson(control, resultsOf(bytes, seconds))
      await writeState(control, DISPLAY_RESULTS)
      await expectState(control, IPERF_DONE)
      this.reports.push({ reverse, seconds, bytes, peer })
    } finally {
      for (const end of ends) end.close()
    }
    await control.close()
  }
}

async function refuse(control: Stream): Promise<void> {
  await writeState(control, SERVER_ERROR)
  const errors = new DataView(new ArrayBuffer(8))
  errors.setInt32(0, NOT_IMPLEMENTED)
  await control.write(new Uint8Array(errors.buffer))
  await control.close()
}
