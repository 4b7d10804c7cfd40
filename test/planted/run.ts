/**
 * Plants each bug in a copy of the sources, one at a time, and asks the tests, nearest first, until one of them notices.
 * `node test/planted/run.ts [ID…] [--sample N --seed S] [--near] [--json]`; with UPDATE=1 what was found goes into docs/planted-bugs.md.
 * `--near`: without the whole saga and the sweep, which take minutes; what is not noticed then is not written down.
 * Exit 0: nine of ten were noticed, and of a part of them none less than the table says.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type PlantedBug, plant } from './bug.ts'
import { BUGS, seededSample } from './bugs.ts'
import { type Asked, ask, copySources, ROOT, removeCopy, stagesFor } from './copy.ts'
import { type Found, mayBeMissed, tableWith } from './table.ts'

const TABLE = join(ROOT, 'docs', 'planted-bugs.md')
const ENOUGH = 27 / 30

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    near: { type: 'boolean', default: false },
    json: { type: 'boolean' },
  },
})

const say = (text: string) => process.stderr.write(`${text}\n`)

const unknown = positionals.filter((id) => BUGS.every((bug) => bug.id !== id))
if (unknown.length > 0) {
  for (const id of unknown) say(`planted: no bug is called ${id}`)
  process.exit(2)
}
const reach = values.near ? 'near' : 'far'
const isWhole = positionals.length === 0 && values.sample === undefined && reach === 'far'
process.exitCode = (await playAll(chosen())) ? 0 : 1

function chosen(): readonly PlantedBug[] {
  if (positionals.length > 0) return BUGS.filter(({ id }) => positionals.includes(id))
  return values.sample === undefined ? BUGS : seededSample(Number(values.seed), Number(values.sample))
}

async function playAll(bugs: readonly PlantedBug[]): Promise<boolean> {
  const copy = copySources()
  const found: Found[] = []
  try {
    if (isWhole && !(await isSound(copy))) return false
    for (const bug of bugs) {
      const one = await play(copy, bug)
      found.push(one)
      const isWorthALine = reach === 'far' || one.asked.is !== 'passed'
      if (process.env.UPDATE === '1' && isWorthALine)
        writeFileSync(TABLE, tableWith(readFileSync(TABLE, 'utf8'), BUGS, [one]))
      say(`${found.length}/${bugs.length} ${bug.id}: ${wordsOf(one)} (${one.tookS.toFixed(0)} s)`)
    }
  } finally {
    removeCopy(copy)
  }
  return judge(found)
}

/** A test that fails without any bug would catch every one. */
async function isSound(copy: string): Promise<boolean> {
  say('first all of these tests without a bug …')
  const filters = [...new Set(BUGS.flatMap((bug) => stagesFor(bug, 'far').flat()))]
  const whole = await ask(copy, filters, 'all')
  if (whole.is === 'passed') return true
  say(`the tests are not sound as they are: ${JSON.stringify(whole)}`)
  return false
}

async function play(copy: string, bug: PlantedBug): Promise<Found> {
  const beganMs = performance.now()
  const takeOut = plant(copy, bug)
  let asked: Asked = { is: 'passed' }
  try {
    for (const stage of stagesFor(bug, reach)) {
      asked = await ask(copy, stage, 'first')
      if (asked.is !== 'passed') break
    }
  } finally {
    takeOut()
  }
  if (asked.is === 'caught' && (await ask(copy, [asked.file], 'first')).is !== 'passed')
    asked = { is: 'broken', text: `${asked.file} fails without it too` }
  return { bug, asked, tookS: (performance.now() - beganMs) / 1000 }
}

function wordsOf({ asked }: Found): string {
  switch (asked.is) {
    case 'passed':
      return 'noticed by NOBODY'
    case 'caught':
      return `noticed by ${asked.file}: ${asked.test}`
    case 'endless':
      return 'noticed: the tests did not end'
    case 'broken':
      return `NO BUG: ${asked.text}`
  }
}

function judge(found: readonly Found[]): boolean {
  const broken = found.filter(({ asked }) => asked.is === 'broken')
  const caught = found.filter(({ asked }) => asked.is === 'caught' || asked.is === 'endless')
  const nobody = found.filter(({ asked }) => asked.is === 'passed').map(({ bug }) => bug.id)
  const figures = { planted: found.length, caught: caught.length, nobody }
  process.stdout.write(
    values.json
      ? `${JSON.stringify(figures)}\n`
      : `${caught.length} of ${found.length} planted bugs were noticed${nobody.length > 0 ? `; not: ${nobody.join(', ')}` : ''}\n`,
  )
  if (broken.length > 0) return false
  if (isWhole) return caught.length >= ENOUGH * found.length
  const table = readFileSync(TABLE, 'utf8')
  return nobody.every((id) => mayBeMissed(table, id, values.near))
}
