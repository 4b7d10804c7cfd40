/** Commands for people on call: look, approve, pause, abort, answer. Clients of the API, and nothing more. */
import { writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { type Command, Option } from 'commander'
import { BadInput } from '#app/bad-input'
import { dateTimeText, durationText, timeText } from '#domain/figures'
import { canonicalJson } from '#domain/json'
import { placeText, renderLogLine } from '#domain/render'
import { openWorkOrderOf } from '#domain/view'
import { effectText, type PersonAction } from '../pages/act.ts'
import { ApiClient, type Described, Refused, type Target, urlOf } from './api-client.ts'
import { renderLive } from './live.ts'

export type Common = Target & { readonly json?: boolean }
type Acting = Common & { readonly yes?: boolean; readonly by: string }

const WIDE = { width: 120, height: 1000, colours: false }

export const clientFor = async (options: Target) => new ApiClient(await urlOf(options))
const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}
const listOf = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
const gather = (value: string, before: readonly string[]) => [...before, value]

export function addClientCommands(program: Command): void {
  addStatus(program)
  addStart(program)
  addActions(program)
  addRelease(program)
  addWorkOrder(program)
  addJournal(program)
  addEvidence(program)
}

export function command(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .addOption(new Option('--url <url>', 'where the control plane is').env('COULISSE_URL'))
    .option('--state <dir>', 'the state folder of a control plane on this machine; left out: the demo’s')
    .option('--json', 'print JSON and nothing else on stdout')
}

/** A command that changes something prints what it will do, and does it with --yes. */
const acting = (parent: Command, name: string, description: string) =>
  command(parent, name, description)
    .option('--by <name>', 'who says so; stays in the journal', userInfo().username)
    .option('--yes', 'do it')

/** What was not sent must not look like success to a script. */
const NOT_SENT = 1

async function send(options: Acting, effect: string, act: () => Promise<unknown>): Promise<void> {
  if (options.yes !== true) {
    process.stderr.write(`${effect}\nNothing was sent. To do it, add --yes\n`)
    process.exitCode = NOT_SENT
    return
  }
  const result = await act()
  if (options.json) print(JSON.stringify({ sent: true, ...(typeof result === 'string' ? { id: result } : {}) }))
  else print(`Sent: ${effect}`)
}

function addStatus(program: Command): void {
  command(program, 'status', 'all maintenances, or one with its stages, moves and blockers')
    .argument('[id]', 'a maintenance')
    .action(async (id: string | undefined, options: Common) => {
      const client = await clientFor(options)
      if (id === undefined) {
        const all = await client.list()
        return print(options.json ? JSON.stringify(all) : all.map(summary).join('\n') || 'no maintenance yet')
      }
      const one = await client.find(id)
      if (options.json) return print(JSON.stringify(one))
      const { rows } = await client.journal(one.id, 0)
      const picture = { view: one.view, rows, nowMs: one.view.lastAtMs, simulated: false }
      print(renderLive(picture, WIDE).join('\n'))
    })
}

function summary({ id, cluster, view, status, waiting }: Described): string {
  const took = durationText((view.ended?.atMs ?? view.lastAtMs) - view.openedAtMs)
  const head = `${id}  ${view.node} in ${cluster}: ${status.word}, since ${dateTimeText(view.openedAtMs)} (${took})`
  return [head, ...waiting.map(({ text }) => `  ${text}`)].join('\n')
}

function addStart(program: Command): void {
  acting(program, 'start', 'begin the maintenance of a node, on an operator’s word')
    .argument('<node>')
    .requiredOption('--reason <text>', 'why; stays in the journal')
    .option('--part <part>', 'the part at fault')
    .action(async (node: string, { reason, part, ...options }: Acting & { reason: string; part?: string }) => {
      const client = await clientFor(options)
      const effect = `A maintenance of ${node} begins: it is observed and a plan is proposed. Nothing moves before somebody approves.`
      await send(options, effect, () => client.start({ node, reason, by: options.by, ...(part && { part }) }))
    })
}

type ActOptions = Acting & {
  readonly reason?: string
  readonly lift?: string
  readonly plan?: string
  readonly cancelRunning?: boolean
}

const ACTS: readonly { readonly name: PersonAction; readonly text: string; readonly options: readonly string[] }[] = [
  { name: 'approve', text: 'approve the plan that waits', options: ['plan', 'lift', 'reason?'] },
  { name: 'reject', text: 'reject the plan that waits', options: ['reason'] },
  { name: 'lift', text: 'lift blockers of the gate by name', options: ['lift!', 'reason'] },
  { name: 'pause', text: 'begin no new move', options: ['cancel'] },
  { name: 'resume', text: 'go on after a pause', options: [] },
  { name: 'abort', text: 'take all back', options: ['reason'] },
]

function addRelease(program: Command): void {
  acting(program, 'release', 'take over a maintenance that is stuck, so that another may begin')
    .argument('<id>', 'the maintenance')
    .requiredOption('--reason <text>', 'why; stays in the journal')
    .action(async (id: string, options: Acting & { readonly reason: string }) => {
      const client = await clientFor(options)
      const { by, reason } = options
      const effect = `${id}: it stays as it is, yours to mend, and gives back its hold on cluster and Ceph`
      await send(options, effect, () => client.release(id, { by, reason }))
    })
}

function addActions(program: Command): void {
  for (const { name, text, options } of ACTS) {
    const one = acting(program, name, text).argument('[id]', 'a maintenance; not needed where only one runs')
    if (options.includes('reason')) one.requiredOption('--reason <text>', 'why; stays in the journal')
    if (options.includes('reason?')) one.option('--reason <text>', 'why; stays in the journal', '')
    if (options.includes('lift')) one.option('--lift <kinds>', 'blockers to lift by name, with commas between', '')
    if (options.includes('lift!')) one.requiredOption('--lift <kinds>', 'their names, with commas between')
    if (options.includes('plan')) one.option('--plan <id>', 'the plan you read; the one that waits, if left out')
    if (options.includes('cancel')) one.option('--cancel-running', 'cancel the moves that run now, too')
    one.action((id: string | undefined, given: ActOptions) => act(name, id, given))
  }
}

async function act(name: PersonAction, id: string | undefined, options: ActOptions): Promise<void> {
  const client = await clientFor(options)
  const one = await client.find(id)
  const allowed = one.allowed[name]
  if (allowed?.is === 'no') throw new Refused(`${name} is off: ${allowed.reason}`)
  const effect = `${one.id}: ${effectText(one.view, name)}`
  await send(options, effect, () => client.control(one.id, messageFor(name, one, options)))
}

function messageFor(kind: PersonAction, { view }: Described, options: ActOptions): Record<string, unknown> {
  const { by, reason = '' } = options
  const lifted = listOf(options.lift ?? '')
  switch (kind) {
    case 'approve':
      return { kind, by, plan: options.plan ?? view.plan?.id, lifted, reason }
    case 'lift':
      return { kind, by, lifted, reason }
    case 'pause':
      return { kind, by, cancelRunning: options.cancelRunning === true }
    case 'resume':
      return { kind, by }
    case 'reject':
    case 'abort':
      return { kind, by, reason }
  }
}

type AnswerOptions = Acting & {
  readonly serial: string
  readonly outcome: string
  readonly found: string
  readonly did: readonly string[]
  readonly photo: readonly string[]
}

function addWorkOrder(program: Command): void {
  const parent = program.command('work-order').description('what hands in the data centre are asked to do')
  command(parent, 'show', 'where, what, and may it be touched now')
    .argument('[id]', 'a maintenance')
    .action(async (id: string | undefined, options: Common) => {
      const one = await (await clientFor(options)).find(id)
      const work = openWorkOrderOf(one.view) ?? one.view.workOrders.at(-1)
      if (work === undefined) throw new Refused(`${one.id} has no work order yet`)
      print(options.json ? JSON.stringify({ ...work, interlock: one.view.interlock }) : workOrderText(one, work))
    })
  acting(parent, 'answer', 'say what was found and done')
    .argument('[id]', 'a maintenance')
    .requiredOption('--serial <serial>', 'read off the chassis')
    .addOption(
      new Option('--outcome <outcome>', 'repaired: hands off, cover closed')
        .choices(['repaired', 'nothing-found', 'cannot'])
        .makeOptionMandatory(),
    )
    .option('--found <text>', 'what was found', '')
    .option('--did <text>', 'what was done; may be repeated', gather, [])
    .option('--photo <name>', 'where a picture is kept; may be repeated', gather, [])
    .action(answerWorkOrder)
}

async function answerWorkOrder(id: string | undefined, options: AnswerOptions): Promise<void> {
  const client = await clientFor(options)
  const one = await client.find(id)
  const work = openWorkOrderOf(one.view)
  if (work === undefined) throw new Refused(`${one.id} has no open work order`)
  const { by, serial, outcome, found, did, photo: photos } = options
  const effect = `Work order ${work.order.id} of ${one.view.node} is answered: ${outcome}, by ${by}, serial ${serial}.`
  await send(options, effect, () => client.answer(one.id, work.order.id, { by, serial, outcome, found, did, photos }))
}

function workOrderText(
  { view }: Described,
  { order, answer, refusals }: Described['view']['workOrders'][number],
): string {
  const { interlock } = view
  const touch =
    interlock.is === 'safe' ? `SAFE to touch: ${interlock.text}` : `NOT safe to touch: ${interlock.reasons.join('; ')}`
  return [
    touch,
    `Work order ${order.id}, round ${order.round}: ${order.part} of ${order.node}`,
    order.why,
    `Where: ${placeText(order.place)}`,
    `Power: ${order.powerNote}`,
    ...order.checklist.map((item) => `  - ${item}`),
    ...refusals.map(({ blocker }) => `Refused: ${blocker.text}; ${blocker.lifts}`),
    answer === undefined
      ? `Answer before ${timeText(order.answerBeforeMs)} UTC`
      : `Answered by ${answer.by}: ${answer.outcome}`,
  ].join('\n')
}

function addJournal(program: Command): void {
  const parent = program.command('journal').description('what was seen, decided and done')
  command(parent, 'show', 'one sentence a row')
    .argument('[id]', 'a maintenance')
    .option('--after <seq>', 'only rows after this number', '0')
    .action(async (id: string | undefined, { after, ...options }: Common & { after: string }) => {
      const client = await clientFor(options)
      const { id: known, view } = await client.find(id)
      const { rows } = await client.journal(known, seqIn(after))
      for (const row of rows)
        print(options.json ? JSON.stringify(row) : renderLogLine({ row, startMs: view.openedAtMs }))
    })
  command(parent, 'export', 'the whole chain as JSON, for coulisse verify')
    .argument('[id]', 'a maintenance')
    .option('--out <file>', 'instead of stdout')
    .action(async (id: string | undefined, { out, ...options }: Common & { out?: string }) => {
      const client = await clientFor(options)
      const text = `${JSON.stringify(await client.journal((await client.find(id)).id, 0))}\n`
      if (out === undefined) process.stdout.write(text)
      else await writeFile(out, text)
    })
}

function seqIn(text: string): number {
  const seq = Number(text)
  if (!Number.isSafeInteger(seq) || seq < 0) throw new BadInput([`--after: ${text} is no number of a row`])
  return seq
}

function addEvidence(program: Command): void {
  command(program, 'evidence', 'what a customer can check offline, for coulisse verify')
    .argument('<id>', 'a maintenance')
    .argument('<customer>', 'by the id that his guests carry')
    .option('--out <file>', 'instead of stdout')
    .action(async (id: string, customer: string, { out, ...options }: Common & { out?: string }) => {
      const client = await clientFor(options)
      const text = `${canonicalJson(await client.evidence(id, customer))}\n`
      if (out === undefined) process.stdout.write(text)
      else await writeFile(out, text)
    })
  command(program, 'erase', 'forget every text of the journal that holds a word, for good; its proofs go on to hold')
    .argument('<word>', 'a name, at least 3 letters; upper and lower case are one')
    .option('--yes', 'do it')
    .action(async (word: string, { yes, ...options }: Common & { yes?: boolean }) => {
      const effect = `Every text of the journal that holds "${word}" is forgotten for good, whoever it speaks of.`
      await send({ ...options, by: '', ...(yes && { yes }) }, effect, async () => {
        const client = await clientFor(options)
        process.stderr.write(`${await client.erase(word)} texts were forgotten\n`)
      })
    })
}
