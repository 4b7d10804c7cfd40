/** How we sign in at a BMC: by name with every call, or by a session that is given back. */
import type { Secret } from '#domain/secret'
import type { Answer, Ask } from './http.ts'

export type Door = {
  headers(): Promise<Record<string, string>>
  /** After a 401 with these headers: true where another way in is worth a second try. */
  anotherWay(used: Record<string, string>): boolean
  leave(): Promise<void>
}

export type SignIn = {
  readonly url: string
  readonly user: string
  readonly password: Secret
  readonly signIn?: 'basic' | 'session'
}

const SESSIONS = '/redfish/v1/SessionService/Sessions'

type Session = { readonly token: string; readonly place: string | undefined }

export function doorOf({ url, user, password, signIn }: SignIn, send: (ask: Ask) => Promise<Answer>): Door {
  const basic = { authorization: `Basic ${Buffer.from(`${user}:${password.reveal()}`).toString('base64')}` }
  // Basic leaves nothing behind. AccountService.HTTPBasicAuth 'Disabled' answers 401 to a right password.
  let way: 'basic' | 'session' = signIn ?? 'basic'
  let session: Promise<Session | undefined> | undefined
  let token: string | undefined
  async function open(): Promise<Session | undefined> {
    const body = { UserName: user, Password: password.reveal() }
    const answer = await send({ doing: 'sign in', method: 'POST', path: SESSIONS, body })
    const given = answer.header('x-auth-token')
    return answer.status < 300 && given !== undefined ? { token: given, place: answer.header('location') } : undefined
  }
  return {
    headers: async () => {
      if (way === 'basic') return basic
      session ??= open()
      const now = await session.catch((error: unknown) => {
        session = undefined
        throw error
      })
      // Where sessions are switched off, or all are taken, basic may still open.
      // None was free: the next call tries again.
      if (now === undefined) session = undefined
      token = now?.token
      return now === undefined ? basic : { 'x-auth-token': now.token }
    },
    anotherWay: (used) => {
      if (signIn === 'basic') return false
      // Two calls at once: the other one has found the way already.
      if (session !== undefined && (token === undefined || used['x-auth-token'] !== token)) return true
      // A session ends by itself after some idle minutes, or with the BMC: then we sign in once more.
      way = 'session'
      session = undefined
      token = undefined
      return true
    },
    leave: async () => {
      const now = await session
      if (now?.place === undefined) return
      const { pathname } = new URL(now.place, url)
      await send({ doing: 'sign out', method: 'DELETE', path: pathname, headers: { 'x-auth-token': now.token } })
    },
  }
}
