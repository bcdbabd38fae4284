import { type ChildProcess, spawn } from 'node:child_process'

const entry = new URL('../src/index.ts', import.meta.url).href

/** A process that opens an AF_XDP device with `options`, grants queue `queue`, and then waits for its end. */
export interface DeviceChild {
  readonly process: ChildProcess
  /** `open` when it holds the queue, else the error's code and message. */
  readonly outcome: Promise<string>
  readonly ended: Promise<void>
}

/**
 * Starts it. `wrap` is a command line to put before node's (setpriv, ip netns exec); `uid` another user to run as.
 */
export function startDeviceChild(
  options: object,
  { queue = 0, wrap = [], uid }: { queue?: number; wrap?: string[]; uid?: number } = {},
): DeviceChild {
  const code = `
    const { backend } = await import(${JSON.stringify(entry)})
    const { createPlainWindow, MonotonicClock } = await import('@parakernel/hal')
    const clock = new MonotonicClock()
    try {
      const device = await backend.open(${JSON.stringify(options)}, { clock })
      device.grant(${queue}, createPlainWindow(256))
      console.log('open')
      setInterval(() => {}, 1000)
    } catch (error) {
      console.log(error.code + ' ' + error.message)
      await new Promise((resolve) => setTimeout(resolve, 10))
      process.exit(1)
    }`
  const [file, ...args] = [...wrap, process.execPath, '--conditions=source', '--input-type=module', '-e', code]
  const child = spawn(file, args, {
    cwd: new URL('..', import.meta.url).pathname,
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const outcome = new Promise<string>((resolve) => {
    child.stdout?.once('data', (data) => resolve(String(data).trim()))
    child.once('exit', (status) => resolve(`exit ${status}`))
  })
  return { process: child, outcome, ended: new Promise((resolve) => child.once('exit', () => resolve())) }
}
