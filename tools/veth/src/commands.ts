import { spawn } from 'node:child_process'
import { ParakernelError } from '@parakernel/hal'
import { createVethPair, removeStale, steerPortsToQueues, type VethPair } from '@parakernel/linux'
import { type Command, HELP } from './arguments.ts'

/** Runs a command and returns the exit status of the process. */
export async function runCommand(command: Command): Promise<number> {
  if (command.kind === 'help') {
    process.stdout.write(HELP)
    return 0
  }
  if (command.kind === 'wrong') {
    process.stderr.write(`veth: ${command.message}\nTry: veth --help\n`)
    return 2
  }
  try {
    if (command.kind === 'clean') {
      for (const name of removeStale()) console.log(`removed ${name}`)
      return 0
    }
    using pair = createVethPair(command.pair)
    if (command.portBase !== undefined) steerPortsToQueues(pair, { portBase: command.portBase })
    return command.kind === 'up' ? await holdUp(pair) : await runProgram(pair, command.program)
  } catch (error) {
    if (!(error instanceof ParakernelError)) throw error
    process.stderr.write(`veth: ${error.message}\n`)
    return 1
  }
}

function environment(pair: VethPair): Record<string, string> {
  return {
    VETH_INTERFACE: pair.interface,
    VETH_MAC: pair.mac,
    VETH_NAMESPACE: pair.namespace,
    VETH_PEER: pair.peer,
    VETH_PEER_MAC: pair.peerMac,
  }
}

/** Prints the names as shell assignments and waits for a signal. */
function holdUp(pair: VethPair): Promise<number> {
  for (const [name, value] of Object.entries(environment(pair))) console.log(`${name}=${value}`)
  console.log(`# in the namespace: ip netns exec ${pair.namespace} COMMAND; Ctrl-C takes it all down`)
  return new Promise((resolve) => {
    const timer = setInterval(() => {}, 1 << 30)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        clearInterval(timer)
        resolve(0)
      })
    }
  })
}

/** The program gets signals of the terminal itself; those sent to us alone are handed on, and its end is awaited. */
function runProgram(pair: VethPair, [file, ...words]: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(file, words, { stdio: 'inherit', env: { ...process.env, ...environment(pair) } })
    process.on('SIGINT', () => {})
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
    child.once('error', (error) => {
      process.stderr.write(`veth: ${error.message}\n`)
      resolve(127)
    })
    child.once('exit', (status, signal) => resolve(status ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}
