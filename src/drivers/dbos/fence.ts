/**
 * Ports that ask before every call of a saga whether the saga is still this process's. A process that stood still between two calls
 * of one act wakes with a look that is old, and another may have gone on since: it must not act on it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

type Guard = () => Promise<void>

const guards = new AsyncLocalStorage<Guard>()

/** Runs an act; `guard` is awaited before every call that it makes on a fenced port, and never settles when the saga is lost. */
export const asGuarded = <T>(guard: Guard, act: () => Promise<T>): Promise<T> => guards.run(guard, act)

/** The same port; calls from outside a saga's act go through as they are. */
export function fenced<P extends object>(port: P): P {
  return new Proxy(port, {
    get: (target, property) => {
      const member: unknown = Reflect.get(target, property, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const guard = guards.getStore()
        if (guard === undefined) return member.apply(target, args)
        return guard().then(() => member.apply(target, args))
      }
    },
  })
}
