/** More tokens than the lab's own: with fewer rights, to see what becomes of a look or an act without them. */
import { z } from 'zod'
import { drawAt } from '#domain/random'
import { problem, type Reply } from '#lab/keeper/control'
import type { World } from '#lab/world/state'
import { OUR_USER } from '#lab/world/tasks'
import { FULL_RIGHTS, type LabToken, LEAST_RIGHTS } from './rights.ts'

const TOKENS_LIMIT = 100

const asked = z
  .object({
    tokenId: z.string().regex(/^[\w.-]+@[\w.-]+![\w.-]+$/, 'user@realm!id'),
    /** Left out of the least that the story needs. */
    without: z.array(z.string()).default([]),
    /** On '/', besides: 'Sys.Modify' … */
    with: z.array(z.string()).default([]),
    /** By path, instead of the least: exactly these. */
    rights: z.record(z.string().startsWith('/'), z.array(z.string())).optional(),
  })
  .strict()

/**
 * `{"tokenId": "coulisse@pve!poor", "without": ["VM.Audit"]}` makes a token; the same id again changes its rights.
 * Answers `{tokenId, tokenSecret, rights}`. Tokens of our own user act as us, others as a colleague.
 */
export function makeToken(world: World, body: unknown): Reply {
  const parsed = asked.safeParse(body)
  if (!parsed.success)
    return problem(400, ...parsed.error.issues.map((one) => `$.${one.path.join('.')}: ${one.message}`))
  const { tokenId, without, with: besides, rights } = parsed.data
  const strange = without.filter((right) => !LEAST_RIGHTS.includes(right))
  if (strange.length > 0) return problem(400, `$.without: the token would not have ${strange.join(', ')} anyway`)
  const tokens = world.apiTokens ?? []
  if (tokenId === OUR_USER) return problem(400, `$.tokenId: ${OUR_USER} is the lab's own token`)
  if (tokens.length >= TOKENS_LIMIT) return problem(400, `there are ${TOKENS_LIMIT} tokens already`)
  const token: LabToken = {
    id: tokenId,
    secret: secretOf(world.seed, tokenId),
    rights: rights ?? { '/': [...LEAST_RIGHTS.filter((right) => !without.includes(right)), ...besides] },
  }
  world.apiTokens = [...tokens.filter(({ id }) => id !== tokenId), token]
  world.changeCount++
  return { status: 201, body: { tokenId, tokenSecret: token.secret, rights: token.rights } }
}

/** The lab's own first; those that were made later lie in its world. */
export const tokensOf = (world: World): readonly LabToken[] => [
  { id: OUR_USER, secret: secretOf(world.seed, ''), rights: FULL_RIGHTS },
  ...(world.apiTokens ?? []),
]

/** The same for the same seed, so that a control plane finds its lab again. It opens nothing but a simulation on loopback. */
function secretOf(seed: number, id: string): string {
  const digit = (at: number) => Math.floor(drawAt(seed, `token${id}`, at) * 16).toString(16)
  const hex = Array.from({ length: 32 }, (_, at) => digit(at)).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
