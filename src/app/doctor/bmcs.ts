/** Every node's BMC, as its driver sees it: it answers, our user may sign in, it is proven to be this node's, and what is else wrong. */
import type { Check } from '#domain/check'
import { nodeName } from '#domain/ids'
import { limiter } from '#drivers/exec/limiter'
import type { Bmcs } from '../bmcs.ts'
import type { Config } from '../config/schema.ts'

export async function examineBmcs(config: Config, bmc: Bmcs): Promise<readonly Check[]> {
  const turn = limiter(config.watch.atOnce)
  const looks = Object.keys(config.nodes).map((node) => turn(() => bmc.examine(nodeName(node))))
  return (await Promise.all(looks)).flat()
}
