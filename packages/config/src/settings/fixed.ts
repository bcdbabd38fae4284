import * as v from 'valibot'
import { parseEndpoint } from '../observe/endpoint.ts'
import { parseBoolean, parseByteSize, parseJson, parseList, parseNumber } from './option-specs.ts'

/** A setting that is there whatever the libOS and the backend are. */
export interface FixedSetting {
  readonly description: string
  /** What it may be, in words. */
  readonly allowed: string
  readonly schema: v.GenericSchema
  /** A text of the environment or the command line as a value; what cannot be read stays the text. */
  readonly parse: (text: string) => unknown
  readonly default?: unknown
}

const integer = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max))
const name = v.pipe(v.string(), v.minLength(1))
const text = (value: string) => value

const MAX_PARTITIONS = 256
/** A region is at most 2 GiB, and holds a partition's frames and heap. */
const MAX_BYTES = 2 ** 31

const port = integer(0, 65_535)
/** What values must be together, `checkRules` says. */
const RULE = v.strictObject({
  protocol: v.picklist(['udp', 'tcp']),
  destinationPort: v.optional(v.union([port, v.tuple([port, port])])),
  destination: v.optional(name),
  source: v.optional(name),
  partition: integer(0, MAX_PARTITIONS - 1),
  spread: v.optional(integer(1, MAX_PARTITIONS)),
  hash: v.optional(
    v.strictObject({
      offset: integer(0, 65_535),
      length: integer(1, 64),
      seed: v.optional(integer(0, 2 ** 32 - 1)),
    }),
  ),
})

/** By path. The order is that of `--help` and `--print-config`. */
export const FIXED_SETTINGS: Readonly<Record<string, FixedSetting>> = {
  preset: {
    description: 'named set of values under those of the file',
    allowed: 'the name of a preset',
    schema: name,
    parse: text,
  },
  'network.libos': {
    description: 'libOS of the network: its name, or a package',
    allowed: 'the name of a libOS, or of a package that exports one',
    schema: name,
    parse: text,
    default: 'net',
  },
  'network.backend': {
    description: 'device under the libOS: its name, or a package',
    allowed: 'the name of a backend, or of a package that exports one',
    schema: name,
    parse: text,
    default: 'emulated',
  },
  'network.probes': {
    description: 'decorators around the device, innermost first',
    allowed: 'a list of objects like {"probe":"pcap"}',
    schema: v.array(v.looseObject({ probe: name })),
    parse: (list) => (list.startsWith('[') ? parseJson(list) : parseList(list).map((probe) => ({ probe }))),
    default: [],
  },
  'network.interfaces': {
    description: 'further interfaces, each with its name, its backend, and the options of both',
    allowed: 'a list of objects like {"name":"back","backend":"emulated","address":"10.1.0.1/24"}',
    schema: v.array(v.looseObject({ name, backend: name })),
    parse: parseJson,
    default: [],
  },
  'storage.libos': {
    description: 'libOS of the storage: its name, a package, or none; storage when anything else of it is set',
    allowed: '"none", the name of a libOS, or of a package that exports one',
    schema: name,
    parse: text,
    default: 'none',
  },
  'storage.backend': {
    description: 'device under the storage: its name, or a package',
    allowed: 'the name of a backend, or of a package that exports one',
    schema: name,
    parse: text,
    default: 'emulated',
  },
  'storage.probes': {
    description: 'decorators around the block device, innermost first',
    allowed: 'a list of objects like {"probe":"block-faults"}',
    schema: v.array(v.looseObject({ probe: name })),
    parse: (list) => (list.startsWith('[') ? parseJson(list) : parseList(list).map((probe) => ({ probe }))),
    default: [],
  },
  steering: {
    description: 'rules that say to which partition a packet belongs; the first one that matches counts',
    allowed: 'a list of objects like {"protocol":"udp","destinationPort":[4000,4003],"partition":0,"spread":4}',
    schema: v.array(RULE),
    parse: parseJson,
    default: [],
  },
  partitions: {
    description: 'partitions, each with its own thread, queues and memory',
    allowed: `an integer from 1 to ${MAX_PARTITIONS}`,
    schema: integer(1, MAX_PARTITIONS),
    parse: parseNumber,
    default: 1,
  },
  isolation: {
    description: 'what a partition is: a thread that is trusted (worker), or a process without rights',
    allowed: '"worker" or "process"',
    schema: v.picklist(['worker', 'process']),
    parse: text,
    default: 'worker',
  },
  cpus: {
    description: 'cores of the partitions: a list, auto or none',
    allowed: 'a list of core numbers, "auto" or "none"',
    schema: v.union([v.picklist(['auto', 'none']), v.pipe(v.array(integer(0, 4095)), v.minLength(1))]),
    parse: (list) => (list === 'auto' || list === 'none' ? list : parseList(list).map(parseNumber)),
    default: 'none',
  },
  'wait.kind': {
    description: 'what a partition with nothing to do does: spin, hybrid (spin, then sleep) or sleep',
    allowed: '"spin", "hybrid" or "sleep"',
    schema: v.picklist(['spin', 'hybrid', 'sleep']),
    parse: text,
    default: 'hybrid',
  },
  'wait.spin': {
    description: 'nanoseconds without work after which a hybrid partition sleeps',
    allowed: 'a number of nanoseconds from 0 to 1000000000',
    schema: v.pipe(v.number(), v.minValue(0), v.maxValue(1e9)),
    parse: parseNumber,
    default: 50_000,
  },
  'wait.gather': {
    description: 'nanoseconds that a hybrid partition sleeps under load without being woken, so that work gathers',
    allowed: 'a number of nanoseconds from 0 to 1000000',
    schema: v.pipe(v.number(), v.minValue(0), v.maxValue(1e6)),
    parse: parseNumber,
    default: 50_000,
  },
  'frames.count': {
    description: 'frames of each partition',
    allowed: 'an integer from 16 to 1048576',
    schema: integer(16, 2 ** 20),
    parse: parseNumber,
    default: 4096,
  },
  'frames.size': {
    description: 'bytes a frame',
    allowed: 'a multiple of 64 from 512 to 65536',
    schema: v.pipe(integer(512, 65_536), v.multipleOf(64)),
    parse: parseNumber,
    default: 2048,
  },
  'frames.reserve': {
    description: 'frames that only devices may take (a quarter of them unless set)',
    allowed: 'an integer from 0 to frames.count - 1',
    schema: integer(0, 2 ** 20),
    parse: parseNumber,
  },
  'frames.debug': {
    description: 'checks every use of a frame; slow',
    allowed: 'true or false',
    schema: v.boolean(),
    parse: parseBoolean,
    default: false,
  },
  heap: {
    description: "bytes of each partition for the application's own structures",
    allowed: 'bytes from 0 to 2147483648, as a number or like "64MiB"',
    schema: v.pipe(v.unknown(), v.transform(parseByteSize), integer(0, MAX_BYTES)),
    parse: parseNumber,
    default: 0,
  },
  memory: {
    description: "what lies under frames and heap: the engine's pages (plain) or a memfd that can be shared",
    allowed: '"plain" or "memfd"',
    schema: v.picklist(['plain', 'memfd']),
    parse: text,
    default: 'plain',
  },
  host: {
    description: "door to the host's means: auto, none, or a package that exports host",
    allowed: '"auto", "none" or the name of a package',
    schema: name,
    parse: text,
    default: 'auto',
  },
  'observe.socket': {
    description:
      'Unix socket that offers statistics to "parakernel top"; programs have auto unless they are told otherwise',
    allowed: '"auto" (one in the runtime directory), "none" or a path',
    schema: name,
    parse: text,
    default: 'none',
  },
  'observe.prometheus': {
    description: 'where Prometheus finds /metrics: a port of 127.0.0.1, or host:port',
    allowed: 'a port from 0 to 65535 (0: any), or a string like "0.0.0.0:9464"',
    schema: v.union([
      integer(0, 65_535),
      v.pipe(
        v.string(),
        v.check((value) => parseEndpoint(value) !== undefined),
      ),
    ]),
    parse: parseNumber,
  },
  'observe.trace': {
    description: 'file for a Chrome trace of the whole run, written when the machine stops',
    allowed: 'the name of a file',
    schema: name,
    parse: text,
  },
  'observe.traceEvents': {
    description: 'latest events of each partition that a trace keeps',
    allowed: 'an integer from 16 to 16777216',
    schema: integer(16, 2 ** 24),
    parse: parseNumber,
    default: 131_072,
  },
}
