import { type Availability, type BackendContext, ParakernelError } from '@parakernel/hal'
import { listOf } from '../problems/config-error.ts'
import { type Kinds, knownNames, load } from '../registry/registry.ts'
import type { Loaded } from '../settings/resolved.ts'
import type { SectionKinds, SectionSpec } from '../settings/section.ts'

interface Openable<Device> {
  probe(context: BackendContext): Availability
  open(options: object, context: BackendContext): Promise<Device>
}

/**
 * Opens a device of a backend; probes first, so that what is missing is said in full.
 * @throws ENOTSUP when this machine cannot run it, with what is missing and what would work; what `open` throws
 */
export async function openBackend<Device>(
  spec: SectionSpec,
  backend: Loaded<Openable<Device>>,
  options: Readonly<Record<string, unknown>>,
  context: BackendContext,
  application: string,
): Promise<Device> {
  const availability = backend.export.probe(context)
  if (availability.available) return backend.export.open(options, context)
  throw new ParakernelError('ENOTSUP', `cannot run here: ${availability.missing}`, {
    subject: `backend ${backend.name}`,
    remedy: `${availability.remedy}. ${await alternatives(spec, backend.name, context, application)}`,
  })
}

/** Which of the installed backends this machine can run, as a sentence. */
async function alternatives(
  { prefix, kinds }: SectionSpec,
  failed: string,
  context: BackendContext,
  application: string,
): Promise<string> {
  const working: string[] = []
  for (const name of knownNames(kinds.backend)) {
    const result = name === failed ? undefined : await load<SectionKinds['backend']>(kinds.backend, name, application)
    if (result !== undefined && 'loaded' in result && canRun(result.loaded.export, context)) {
      working.push(`${prefix}.backend ${name}`)
    }
  }
  if ('loaded' in (await load<keyof Kinds>(kinds.libos, 'host', application))) working.push(`${prefix}.libos host`)
  return working.length === 0 ? 'No other installed backend works here' : `These work here: ${listOf(working)}`
}

function canRun(backend: Kinds[SectionKinds['backend']], context: BackendContext): boolean {
  return backend.probe(context).available
}
