import { type OptionSpecs, ParakernelError, reasonOf } from '@parakernel/hal'
import { checkRules, type PartitionRule } from '@parakernel/kernel'
import * as v from 'valibot'
import { type KnownPaths, takers } from '../layers/known-paths.ts'
import { unflatten } from '../layers/layer.ts'
import { listOf, type Problem, show } from '../problems/config-error.ts'
import { nearest } from '../problems/nearest.ts'
import { allowedBy, isAllowed, parseByteSize } from './option-specs.ts'
import type { Origin } from './resolved.ts'

type Values = Map<string, unknown>
type Origins = ReadonlyMap<string, Origin>

/** Most bytes of a region: frames and heap of a partition lie in one. */
const REGION_MAX = 2 ** 31

/**
 * Checks every value by itself; a schema may rewrite its value (`64MiB` becomes bytes).
 * @param byDefault paths of options that nobody has set: their values are their packages' own
 */
export function checkValues(
  values: Values,
  origins: Origins,
  known: KnownPaths,
  byDefault: ReadonlySet<string>,
  problems: Problem[],
): void {
  for (const [path, setting] of known) {
    let value = values.has(path) ? values.get(path) : objectAt(path, values)
    const origin = origins.get(path)
    if (setting.kind === 'fixed') {
      if (value === undefined) continue
      const result = v.safeParse(setting.setting.schema, value)
      if (result.success) values.set(path, result.output)
      else problems.push(wrong(path, value, setting.setting.allowed, origin))
      continue
    }
    const isSet = value !== undefined && !byDefault.has(path)
    if (isSet && typeof value === 'string' && setting.specs.some(({ spec }) => spec.unit === 'bytes')) {
      value = parseByteSize(value)
      values.set(path, value)
    }
    for (const { owner, spec } of isSet ? takers(setting, value) : setting.specs) {
      if (!isSet) {
        if (spec.required === true && spec.default === undefined) {
          const message = `missing, ${owner} needs it: ${allowedBy(spec)} (${spec.description})`
          problems.push({ kind: 'missing', path, message })
        }
      } else if (!isAllowed(spec, value)) problems.push(wrong(path, value, allowedBy(spec), origin))
    }
  }
}

/** An object-valued option that came in parts. */
function objectAt(path: string, values: Values): unknown {
  const object = unflatten(values, path)
  return Object.keys(object).length === 0 ? undefined : object
}

function wrong(path: string, value: unknown, allowed: string, origin: Origin | undefined): Problem {
  return { kind: 'wrong-value', path, message: `found ${show(value)}, allowed: ${allowed}`, origin }
}

/** What several values must be together. Looks only at values that are right by themselves. */
export function checkTogether(values: Values, origins: Origins, problems: Problem[]): void {
  const faulty = new Set(problems.map(({ path }) => path))
  const number = (path: string) => (faulty.has(path) ? undefined : (values.get(path) as number | undefined))
  const count = number('frames.count')
  const size = number('frames.size')
  const heap = number('heap')
  const reserve = number('frames.reserve')
  if (count !== undefined && reserve !== undefined && reserve >= count) {
    problems.push(
      wrong(
        'frames.reserve',
        reserve,
        `an integer from 0 to ${count - 1} (frames.count - 1)`,
        origins.get('frames.reserve'),
      ),
    )
  }
  if (count !== undefined && size !== undefined && heap !== undefined && count * size + heap > REGION_MAX) {
    const message = `${count} frames of ${size} bytes and a heap of ${heap} are ${count * size + heap} bytes a partition, allowed: ${REGION_MAX}`
    problems.push({ kind: 'wrong-value', path: 'frames', message, origin: origins.get('heap') })
  }
  const cpus = values.get('cpus')
  const partitions = number('partitions')
  if (Array.isArray(cpus) && !faulty.has('cpus') && partitions !== undefined && cpus.length < partitions) {
    const allowed = `one core for each of ${partitions} partitions`
    problems.push(wrong('cpus', cpus, allowed, origins.get('cpus')))
  }
  if (values.get('host') === 'none') {
    const needs = (path: string, when: boolean) => {
      if (when)
        problems.push(
          wrong(path, values.get(path), 'what needs no host, or another "host" than "none"', origins.get(path)),
        )
    }
    needs('memory', values.get('memory') === 'memfd')
    needs('isolation', values.get('isolation') === 'process')
    needs('cpus', Array.isArray(cpus) || cpus === 'auto')
  }
}

/** Rules against the number of partitions, and a device to steer. */
export function checkSteering(values: Values, origins: Origins, hasDevice: boolean, problems: Problem[]): void {
  const rules = values.get('steering') as readonly PartitionRule[] | undefined
  const partitions = values.get('partitions')
  const faulty = problems.some(({ path }) => path === 'steering' || path === 'partitions')
  if (faulty || rules === undefined || rules.length === 0 || typeof partitions !== 'number') return
  const origin = origins.get('steering')
  if (!hasDevice) {
    problems.push(wrong('steering', rules, 'nothing, as there is no device whose packets could be steered', origin))
    return
  }
  try {
    checkRules(rules, partitions)
  } catch (error) {
    if (!(error instanceof ParakernelError)) throw error
    problems.push({ kind: 'wrong-value', path: 'steering', message: `${error.subject}: ${reasonOf(error)}`, origin })
  }
}

/** Options of one probe in the list, by its specs; defaults filled in. */
export function checkProbe(
  path: string,
  options: Readonly<Record<string, unknown>>,
  specs: OptionSpecs,
  origin: Origin | undefined,
  problems: Problem[],
): Record<string, unknown> {
  const names = Object.keys(specs)
  const result: Record<string, unknown> = {}
  for (const key of Object.keys(options)) {
    if (names.includes(key)) continue
    const near = nearest(key, names)
    const hint = near === undefined ? ', ' : `; did you mean ${path}.${near}? `
    const allowed = names.length === 0 ? 'nothing' : names.join(', ')
    problems.push({
      kind: 'unknown-key',
      path: `${path}.${key}`,
      message: `unknown key${hint}allowed here: ${allowed}`,
      origin,
    })
  }
  for (const [name, spec] of Object.entries(specs)) {
    const value = options[name] ?? spec.default
    if (value !== undefined) {
      if (!isAllowed(spec, value)) problems.push(wrong(`${path}.${name}`, value, allowedBy(spec), origin))
      result[name] = value
    } else if (spec.required === true) {
      const message = `missing, allowed: ${allowedBy(spec)} (${spec.description})`
      problems.push({ kind: 'missing', path: `${path}.${name}`, message, origin })
    }
  }
  return result
}

export function checkPreset(name: string, presets: readonly string[], origin: Origin | undefined): Problem {
  const near = nearest(name, presets)
  const hint = near === undefined ? ', ' : `; did you mean ${JSON.stringify(near)}? `
  const allowed = listOf(presets.map((preset) => JSON.stringify(preset)))
  return { kind: 'wrong-value', path: 'preset', message: `found ${show(name)}${hint}allowed: ${allowed}`, origin }
}
