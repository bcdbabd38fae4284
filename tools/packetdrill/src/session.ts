import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BlockedCall } from './descriptor.ts'
import { type Answer, encodeAnswer, type Request, RequestReader } from './messages.ts'
import { DONE, failed, SocketCalls } from './socket-calls.ts'
import type { World } from './world.ts'

const MICROSECOND = 1e3
/** What a look at the clock costs: packetdrill spins on it until an event is due. */
const LOOK = 20 * MICROSECOND
/** Virtual time after which no packet is coming any more. */
const PATIENCE = 150e9
/** Real milliseconds that the thread of a finished call has to look at the clock, before time goes on. */
const GRACE = 20

/**
 * One run of packetdrill, and the virtual time that passes only while it asks for it. A call that blocks is answered at the
 * very time at which it ends.
 */
export class Session {
  readonly #start: () => Promise<World>
  readonly #blocked = new Map<BlockedCall, Socket>()
  #world: Promise<World> | undefined
  #calls: SocketCalls | undefined
  /** Set while time waits for the thread of a call that has ended. */
  #looked: (() => void) | undefined

  /** @param start makes the world, at the first request: the script's own commands have run by then */
  constructor(start: () => Promise<World>) {
    this.#start = start
  }

  /** Serves one thread of packetdrill's, which waits for each answer. */
  serve(connection: Socket): void {
    const reader = new RequestReader()
    connection.on('data', async (chunk: Buffer) => {
      try {
        for (const request of reader.read(chunk)) await this.#handle(request, connection)
      } catch (error) {
        console.error(error)
        connection.destroy()
      }
    })
    connection.on('error', () => connection.destroy())
  }

  async close(): Promise<void> {
    await (await this.#world)?.close()
  }

  async #handle(request: Request, connection: Socket): Promise<void> {
    this.#world ??= this.#start()
    const world = await this.#world
    this.#calls ??= new SocketCalls(world, (call, answer) => this.#unblock(call, answer))
    const answer = (value: Answer) => connection.write(encodeAnswer(value))
    switch (request.operation) {
      case 'time':
        if (this.#looked === undefined) this.#advance(world, world.now + LOOK)
        answer({ result: Math.floor(world.now / MICROSECOND) })
        this.#looked?.()
        break
      case 'sleep':
        // Ends early when a call of the other thread does: packetdrill looks at the clock and sleeps again.
        if (this.#advance(world, world.now + request.number() * MICROSECOND)) await this.#waitForThread()
        answer(DONE)
        break
      case 'sendPacket':
        world.wire.send(request.bytes())
        this.#settle(world)
        answer(DONE)
        break
      case 'receivePacket':
        answer(await this.#receivePacket(world))
        break
      default: {
        const outcome = this.#calls.handle(request) ?? failed('ENOSYS')
        this.#settle(world)
        if ('token' in outcome) this.#blocked.set(outcome, connection)
        else answer(outcome)
      }
    }
  }

  async #receivePacket(world: World): Promise<Answer> {
    const limit = world.now + PATIENCE
    while (world.wire.packets.length === 0 && world.now < limit) {
      const ended = this.#advance(world, limit, () => world.wire.packets.length > 0)
      if (ended) await this.#waitForThread()
    }
    const packet = world.wire.packets.shift()
    // packetdrill has no way to give up: an empty packet is refused as malformed, and ends the script.
    return packet === undefined ? { result: 0 } : { result: Math.floor(packet.time / MICROSECOND), data: packet.bytes }
  }

  /** Lets time pass until `until`, `done()`, or the end of a blocked call, which is answered; whether it was that. */
  #advance(world: World, until: number, done = () => false): boolean {
    const { runtime } = world.libos
    const ended = () => [...this.#blocked.keys()].some(({ token }) => !runtime.isPending(token))
    world.advance(() => done() || ended(), until)
    return this.#finishCalls(world)
  }

  /** What happens at once, without any time passing. */
  #settle(world: World): void {
    for (let i = 0; i < 64 && world.loop.runOnce() > 0; i++);
    this.#finishCalls(world)
  }

  #finishCalls(world: World): boolean {
    const { runtime } = world.libos
    let finished = false
    for (const call of [...this.#blocked.keys()]) {
      if (runtime.isPending(call.token)) continue
      finished = true
      call.finish(runtime.wait(call.token, 0))
    }
    return finished
  }

  #unblock(call: BlockedCall, answer: Answer): void {
    this.#blocked.get(call)?.write(encodeAnswer(answer))
    this.#blocked.delete(call)
  }

  /** The thread whose call ended takes the time of that before anything else happens. */
  async #waitForThread(): Promise<void> {
    const looked = new Promise<void>((resolve) => {
      this.#looked = resolve
    })
    await Promise.race([looked, sleep(GRACE)])
    this.#looked = undefined
  }
}
