import { type OptionSpecs, ParakernelError } from '@parakernel/hal'

/** For callers without a config, which would have checked them. @throws EINVAL naming the option that is unknown or out of range */
export function checkOptions(subject: string, options: object, specs: OptionSpecs): void {
  for (const [name, value] of Object.entries(options)) {
    const spec = specs[name]
    const path = `${subject}.${name}`
    if (spec === undefined) {
      throw new ParakernelError('EINVAL', 'is not an option', {
        subject: path,
        remedy: `Options are ${Object.keys(specs).join(', ')}`,
      })
    }
    if (value === undefined || (spec.type !== 'number' && spec.type !== 'integer')) continue
    const { min = Number.NEGATIVE_INFINITY, max = Infinity } = spec
    const whole = spec.type === 'integer'
    if (typeof value !== 'number' || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw new ParakernelError('EINVAL', `is ${String(value)}`, {
        subject: path,
        remedy: `Give ${whole ? 'an integer' : 'a number'} from ${min} to ${max}`,
      })
    }
  }
}
