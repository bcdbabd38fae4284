/**
 * Runs one script in the network namespace of this process: `script-host.ts PACKETDRILL SHIM SCRIPT VARIANT`. Exits with
 * packetdrill's status.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { stackOptions, VARIANTS, type Variant } from './script-settings.ts'
import { Session } from './session.ts'
import { World } from './world.ts'

const [packetdrill, shim, script, variant] = process.argv.slice(2)
const { mtu, flags } = VARIANTS[variant as Variant]
const folder = mkdtempSync(join(tmpdir(), 'pk-packetdrill-'))
const path = join(folder, 'stack')
const session = new Session(() => World.create(stackOptions(), mtu))
const server = createServer((connection) => session.serve(connection))
process.env['PK_SYSCTLS'] = join(folder, 'sysctls')
process.env['PATH'] = `${join(import.meta.dirname, '../commands')}:${process.env['PATH']}`
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

server.listen(path, () => {
  const program = spawn(
    packetdrill,
    [...flags, '--send_omit_free', `--so_filename=${shim}`, `--so_flags=${path}`, basename(script)],
    { cwd: dirname(script), stdio: 'inherit', env: { ...process.env, LD_PRELOAD: shim } },
  )
  program.on('error', (error) => {
    console.error(error.message)
    process.exit(2)
  })
  program.on('exit', (code) => process.exit(code ?? 1))
})
