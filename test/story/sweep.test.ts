/** Nights with faults that nobody thought out together: whatever meets, no promise is broken, and every night ends. */
import { expect, it } from 'vitest'
import { brokenIn } from '#app/chaos/end-state'
import { playNight } from '#app/night/play'
import { parseScript } from '#app/night/script'
import { calmNight } from './night-kit.ts'

const NIGHTS = 80
/** A night's first two hours, in which everything begins. */
const SPAN_S = 6000

class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed
  }
  upTo(limit: number): number {
    this.#state = (this.#state * 1103515245 + 12345) % 2 ** 31
    return Math.floor((this.#state / 2 ** 31) * limit)
  }
  pick<T>(all: readonly T[]): T {
    return all[this.upTo(all.length)] as T
  }
}

type Fault = { readonly kind: string; readonly [field: string]: unknown }

/** A fault, and what mends it where it would last for ever. */
function roll(dice: Dice): readonly [Fault, Fault?] {
  const node = dice.pick(['pve1', 'pve2', 'pve3', 'pve4'])
  const guest = dice.pick([101, 102, 103, 104, 105, 106, 111, 112])
  const forS = 60 + dice.upTo(1500)
  const mended = (what: string): Fault => ({ kind: 'mended', what })
  return dice.pick<readonly [Fault, Fault?]>([
    [{ kind: 'node-dead', node }, mended('node-dead')],
    [{ kind: 'node-hangs', node }, mended('node-dead')],
    [{ kind: 'osd-down', osd: dice.upTo(8) }, mended('osd-down')],
    [{ kind: 'migration-never-converges', guest }, mended('migration-never-converges')],
    [{ kind: 'quorum-lost', forS }],
    [{ kind: 'api-error', api: dice.pick(['proxmox', 'ceph', 'bmc', 'smtp', 'probe']), rate: 0.5, forS }],
    [{ kind: 'answer-lost', api: dice.pick(['proxmox', 'ceph', 'bmc']), times: 3 }],
    [{ kind: 'bmc-silent', node, forS: 2 * forS }],
    [{ kind: 'migration-fails', guest, times: 1 + dice.upTo(4) }],
    [{ kind: 'task-vanishes', guest }],
    [{ kind: 'guest-locked', guest, forS: 300 }],
    [{ kind: 'guest-appears', node }],
    [{ kind: 'target-filled', node }],
    [{ kind: 'ha-moves', guest: dice.pick([101, 106]) }],
    [{ kind: 'noout-cleared-by-other' }],
    [{ kind: 'lease-deleted', node: 'pve3' }],
    [{ kind: 'powers-on-by-itself', node: 'pve3', afterS: 60 + dice.upTo(3000) }],
    [{ kind: 'corosync-token-loss', node, forS }],
    [{ kind: 'technician', does: dice.pick(['pulls-wrong-server', 'finds-nothing', 'cannot', 'leaves-fan-broken']) }],
    [{ kind: 'after-repair', effect: dice.pick(['dimm-missing', 'disk-missing', 'fan-out-of-band', 'sel-dirty']) }],
  ])
}

function rollScript(dice: Dice): string {
  const lines = ['+1s: start pve3 FAN3 it rattles', 'each plan-proposed +1m: approve']
  const at = () => dice.upTo(SPAN_S)
  for (let count = 1 + dice.upTo(3); count > 0; count--) {
    const [fault, mend] = roll(dice)
    const beginsS = at()
    lines.push(`+${beginsS}s: fault ${JSON.stringify(fault)}`)
    if (mend) lines.push(`+${beginsS + 300 + dice.upTo(3000)}s: fault ${JSON.stringify(mend)}`)
  }
  if (dice.upTo(4) === 0) lines.push(`+${at()}s: abort the customer says no`)
  if (dice.upTo(3) === 0) lines.push(`+${at()}s: crash`)
  const pausedS = at()
  if (dice.upTo(5) === 0) lines.push(`+${pausedS}s: pause`, `+${pausedS + 600}s: resume`)
  return lines.join('\n')
}

it('no promise is broken, and every night ends in words, whatever faults meet', async () => {
  const endings: Record<string, number> = {}
  for (let seed = 1; seed <= NIGHTS; seed++) {
    const script = rollScript(new Dice(seed * 7919))
    const night = await playNight({ ...calmNight(), script: parseScript(script) })
    expect(brokenIn(night), `seed ${seed}\n${script}`).toEqual([])
    expect(['done', 'undone', 'failed', 'stuck'], `seed ${seed}\n${script}`).toContain(night.ending)
    endings[night.ending] = (endings[night.ending] ?? 0) + 1
  }
  console.info(`${NIGHTS} nights of faults: ${JSON.stringify(endings)}`)
})
