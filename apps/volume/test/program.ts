import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { program } from '../src/program.ts'

const MAIN = new URL('../src/main.ts', import.meta.url).pathname
/** A disk is not what is tested here. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Uint8Array
}

export type BackendName = 'io-uring' | 'emulated' | 'pmem'

/** A folder that is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(FOLDER, 'parakernel-volume-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The program in this process: all of it but the streams and signals of a process. */
export async function run(args: readonly string[], input: string | Uint8Array = ''): Promise<Ended> {
  const out: Buffer[] = []
  let stderr = ''
  const terminal = {
    out: (line: string) => void out.push(Buffer.from(`${line}\n`)),
    err: (line: string) => {
      stderr += `${line}\n`
    },
    write: async (bytes: Uint8Array) => void out.push(Buffer.from(bytes)),
    input: inputOf(Buffer.from(input)),
    progress: undefined,
  }
  const status = await program(args, terminal, new AbortController().signal)
  const bytes = Buffer.concat(out)
  return { status, stdout: bytes.toString(), stderr, bytes: new Uint8Array(bytes) }
}

async function* inputOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes
}

/** The program as a user starts it. */
export function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--conditions=source', MAIN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
}

/** An image with a volume, and the way to run commands on it. */
export class Image {
  readonly folder = folder()
  readonly path = join(this.folder, 'disk.img')
  readonly #backend: BackendName

  private constructor(backend: BackendName) {
    this.#backend = backend
  }

  static async make(backend: BackendName = 'emulated', size = '8MiB'): Promise<Image> {
    const image = new Image(backend)
    await image.ok('mkfs', '--size', size)
    return image
  }

  args(command: string, ...rest: string[]): string[] {
    return [command, '--path', this.path, '--backend', this.#backend, ...rest]
  }

  run(command: string, ...rest: string[]): Promise<Ended> {
    return run(this.args(command, ...rest))
  }

  /** Runs what must do its work; returns its output. */
  async ok(command: string, ...rest: string[]): Promise<string> {
    return this.#ok(await this.run(command, ...rest), command)
  }

  /** Copies a text into the volume. */
  async put(path: string, text: string): Promise<void> {
    this.#ok(await run(this.args('cp', '-', `vol:${path}`), text), 'cp')
  }

  /** The result as JSON. */
  async json<T = unknown>(command: string, ...rest: string[]): Promise<T> {
    return JSON.parse(await this.ok(command, '--json', ...rest)) as T
  }

  /** A path beside the image. */
  beside(name: string): string {
    return join(this.folder, name)
  }

  #ok({ status, stdout, stderr }: Ended, command: string): string {
    if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}${stdout}`)
    return stdout
  }
}
