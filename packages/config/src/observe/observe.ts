import type { Parts } from '../compose/start.ts'
import type { ResolvedConfig } from '../settings/resolved.ts'
import { type Endpoint, formatEndpoint, parseEndpoint } from './endpoint.ts'
import { HttpEndpoint } from './http-endpoint.ts'
import { ObservedMachine } from './observed-machine.ts'
import { ObservedProcess } from './observed-process.ts'
import { SocketEndpoint } from './socket-endpoint.ts'
import { traceToFile } from './trace-file.ts'

/** Where a machine can be looked at. */
export interface Endpoints {
  /** Path of the Unix socket. */
  readonly socket: string | undefined
  /** `host:port` of `/metrics`, with the port that was found where any would do. */
  readonly prometheus: string | undefined
}

interface Server {
  readonly address: string
  close(): Promise<void>
}

const observed = new ObservedProcess()

/** Servers of this process by what was asked for: machines share them. */
const servers = new Map<string, { users: number; readonly opened: Promise<Server> }>()

/**
 * Lets a machine be looked at as its config says.
 * @param ending takes what is to be done when that ends, the last thing first
 * @throws EADDRINUSE, EACCES and others for an endpoint that cannot be had; a socket that nobody has named is only warned about
 */
export async function observe(
  name: string,
  config: ResolvedConfig,
  parts: Parts,
  warn: (message: string) => void,
  ending: (step: () => void | Promise<void>) => void,
): Promise<Endpoints> {
  const { socket, prometheus, trace } = config.settings.observe
  if (socket === 'none' && prometheus === undefined && trace === undefined) return NOWHERE
  const machine = await ObservedMachine.of(name, config, parts)
  if (trace !== undefined) ending(await traceToFile(trace, machine, warn))

  let path: string | undefined
  if (socket !== 'none') {
    try {
      path = await share(`unix:${socket}`, () => SocketEndpoint.open(socket, observed), ending)
    } catch (error) {
      if (socket !== 'auto') throw error
      warn(`${name} cannot be seen by parakernel top: ${(error as Error).message}`)
    }
  }
  const wanted = prometheus === undefined ? undefined : (parseEndpoint(prometheus) as Endpoint)
  const metrics = wanted && (await share(formatEndpoint(wanted), () => HttpEndpoint.open(wanted, observed), ending))
  if (path !== undefined || metrics !== undefined) {
    observed.add(machine, metrics)
    ending(() => observed.remove(machine))
  }
  return { socket: path, prometheus: metrics }
}

const NOWHERE: Endpoints = { socket: undefined, prometheus: undefined }

/** The address of a server that is opened for its first user, and closed after its last. */
async function share(
  key: string,
  open: () => Promise<Server>,
  ending: (step: () => Promise<void>) => void,
): Promise<string> {
  const server = servers.get(key) ?? { users: 0, opened: open() }
  servers.set(key, server)
  server.users++
  const release = async () => {
    if (--server.users > 0) return
    servers.delete(key)
    await (await server.opened).close()
  }
  try {
    const { address } = await server.opened
    ending(release)
    return address
  } catch (error) {
    if (--server.users === 0) servers.delete(key)
    throw error
  }
}
