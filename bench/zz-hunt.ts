import { HighsSolver } from '#drivers/highs/solver'
import { checkPlan } from '#plan/check-plan'
import { provePlan } from '#plan/prove-plan'
import { proposePlan } from '#plan/decide'
import { planId } from '#domain/ids'
import { FAMILIES } from './plan/families.ts'
const solver = new HighsSolver()
const LIM = { placementMs: 1000, reasonsMs: 200, mostLeaveMs: 250, amountMs: 100, evenMs: 0 }
const names = process.argv.slice(2)
for (const f of FAMILIES.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const t = Date.now(); let bad = 0
  for (let seed = 0; seed < f.cases; seed++) {
    const one = f.build(seed)
    const req = { ...one, revision: 1, id: planId('bench') }
    const own = proposePlan(req)
    const worth = one.cluster.guests.length <= 2000 && (own.moves.some((m) => m.purpose === 'make-room') || own.proof?.reasons !== 'none')
    const plan = worth ? await provePlan(req, solver, LIM) : own
    const v = checkPlan({ cluster: one.cluster, plan, policy: one.policy })
    if (v.length > 0) { bad += v.length; console.log(f.name, seed, worth, JSON.stringify(v.slice(0, 3)).slice(0, 400)) }
  }
  console.log(f.name, 'violations', bad, 'cases', f.cases, ((Date.now() - t) / 1000).toFixed(0), 's')
}
await solver.close()
