import type { Medium, MediumRequest } from '../../src/index.ts'

/** What to do with a request: a status to fail it with, 'hang' to never answer, or undefined to let it through. */
export type Fault = (request: MediumRequest) => number | 'hang' | undefined

/** A medium whose requests fail as a function says. */
export function faultyMedium(inner: Medium, fault: Fault): Medium {
  return new Proxy(inner, {
    get(target, key) {
      if (key !== 'submit') {
        const value = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      }
      return (request: MediumRequest) => {
        const status = fault(request)
        if (status === 'hang') return
        if (status === undefined) return target.submit(request)
        target.loop.defer(() => {
          request.status = status
          request.done(request)
        })
      }
    },
  })
}
