import type { MessagePort } from 'node:worker_threads'
import { type Host, ParakernelError } from '@parakernel/hal'
import { RunLoop } from '../loop/run-loop.ts'
import { type FromWorker, type ToWorker, toPlainError, type WorkerData } from './messages.ts'
import { type PeerAnswer, PeerCalls } from './peer-calls.ts'
import { RunningPartition } from './running-partition.ts'

/** The worker's side of `spawnPartition`: everything that happens in a partition's thread hangs from here. */
export async function partitionWorkerMain({ plan, counters }: WorkerData, port: MessagePort): Promise<void> {
  const send = (message: FromWorker) => port.postMessage(message)
  try {
    const host = plan.hostModule === undefined ? undefined : await importHost(plan.hostModule)
    if (plan.cpu !== undefined) pin(plan.cpu, host)
    const loop = new RunLoop({
      wait: plan.wait,
      wake: plan.window.wake,
      counters,
      ...(host === undefined ? {} : { host }),
    })
    const peers = new PeerCalls(plan.partitions, loop.clock, loop.timers, send)
    const partition = new RunningPartition(plan, loop, host, peers)
    // Node would end the thread in the middle of whatever it does, and a foreign call that it is in would take the process along.
    // What the partition holds is left as it is: the control plane takes it back.
    process.once('uncaughtException', (error) => {
      send({ kind: 'crashed', error: toPlainError(error) })
      loop.close()
      port.close()
    })
    loop.start('owner')
    // The module may wait for what only the loop can bring, and for promises of its own.
    const started = loop.dependOnNode()
    port.on('message', (message: ToWorker) => {
      if (message.kind === 'stop') void end(partition, loop, port, send)
      else if (message.kind === 'peer-returned' || message.kind === 'peer-threw') peers.answered(message)
      else void answer(partition, message, send)
    })
    await partition.start()
    started()
    send({ kind: 'ready' })
  } catch (error) {
    send({ kind: 'crashed', error: toPlainError(error) })
    port.close()
  }
}

function pin(cpu: number, host: Host | undefined): void {
  if (host !== undefined) host.pinThread(cpu)
  else {
    throw new ParakernelError('ENOTSUP', `cannot be pinned to core ${cpu} without a host module`, {
      subject: 'partition thread',
      remedy: 'Name a host module, or no core',
    })
  }
}

async function importHost(module: string): Promise<Host> {
  const { host } = (await import(module)) as { host: Host }
  return host
}

async function answer(
  partition: RunningPartition,
  message: Exclude<ToWorker, { kind: 'stop' | PeerAnswer['kind'] }>,
  send: (message: FromWorker) => void,
): Promise<void> {
  const { id } = message
  try {
    const value = message.kind === 'call' ? partition.call(message.method, message.args) : partition.lease(message)
    send({ kind: 'returned', id, value: await value })
  } catch (error) {
    // A result that cannot be cloned ends here too.
    send({ kind: 'threw', id, error: toPlainError(error) })
  }
}

/** The loop runs on while the module stops, so that what it still has to send is sent. */
async function end(
  partition: RunningPartition,
  loop: RunLoop,
  port: MessagePort,
  send: (message: FromWorker) => void,
): Promise<void> {
  try {
    await partition.stop()
    send({ kind: 'stopped' })
  } catch (error) {
    send({ kind: 'crashed', error: toPlainError(error) })
  } finally {
    loop.close()
    port.close()
  }
}
