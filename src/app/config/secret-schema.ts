/** How a configuration names what it may not hold: secrets, keys, and certificates, which lie in files beside them. */
import { z } from 'zod'

export const secretSchema = z.union(
  [z.object({ env: z.string().min(1) }).strict(), z.object({ file: z.string().min(1) }).strict()],
  { error: 'a secret is { file: PATH } or { env: NAME }, and never stands here itself' },
)

export type SecretRef = z.infer<typeof secretSchema>
