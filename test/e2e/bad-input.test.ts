/** What an operator gets wrong, or finds broken: said with what to do, and nothing touched. Real drivers over the lab's wires. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#drivers/postgres/embedded'
import { coulisse, freshFolder, getJson, postJson, type Run, until } from './coulisse.ts'
import type { Row } from './demo-run.ts'
import {
  configFor,
  DEMO_CLUSTER,
  EXAMPLE,
  end,
  type ServedLab,
  serve,
  serveLab,
  truthOf,
} from './lab-and-control-plane.ts'

let folder: string
let postgres: EmbeddedPostgres
let databases = 0
beforeAll(async () => {
  folder = freshFolder('bad-input')
  postgres = await startEmbeddedPostgres({ stateDir: folder, log: () => {} })
})
afterAll(async () => {
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function sql(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

async function freshDatabase(): Promise<string> {
  const name = `test${++databases}`
  await sql(postgres.url, `create database ${name}`)
  const url = new URL(postgres.url)
  url.pathname = `/${name}`
  return url.href
}

/** A lab that follows its control plane, and the control plane itself; ended after `work`. */
async function withBoth(
  options: { readonly change?: (yaml: string) => string; readonly faults?: readonly unknown[] },
  work: (both: { readonly lab: ServedLab; readonly url: string; readonly run: Run }) => Promise<void>,
): Promise<void> {
  const lab = await serveLab('--snapshot', DEMO_CLUSTER, '--follow', '--speed', 'max')
  let run: Run | undefined
  try {
    for (const fault of options.faults ?? []) {
      expect((await postJson(`${lab.ready.control}/faults`, fault)).status).toBe(201)
    }
    const stateDir = freshFolder('control-plane')
    const served = await serve(configFor(stateDir, lab.ready, await freshDatabase(), options.change), lab.ready)
    run = served.run
    await work({ lab, ...served })
    rmSync(stateDir, { recursive: true, force: true })
  } finally {
    await end(run, lab.run)
  }
}

const start = (url: string, node: string, key?: string) =>
  postJson(
    `${url}/api/maintenances`,
    { node, reason: 'a fan is loud', by: 'olga' },
    key === undefined ? {} : { 'idempotency-key': key },
  )

/** What would be left if something had been touched. */
async function expectUntouched(lab: ServedLab): Promise<void> {
  const truth = await truthOf(lab.ready.control)
  expect(truth.brokenPromises).toEqual([])
  expect(truth.guests.filter(({ node, home }) => node !== home)).toEqual([])
  expect([...truth.flags, ...Object.values(truth.hostFlags).flat()]).toEqual([])
  expect(truth.leases).toEqual({})
  expect(truth.nodes.filter(({ power, locate }) => power !== 'on' || locate)).toEqual([])
}

const rowsOf = async (url: string, id: unknown) =>
  (await getJson<{ rows: Row[] }>(`${url}/api/maintenances/${id}/journal`))?.rows ?? []

const blockersIn = (rows: readonly Row[]): readonly string[] =>
  rows.flatMap(({ event }) => {
    if (event.kind === 'gate-closed') return (event.blockers as { kind: string }[]).map(({ kind }) => kind)
    if (event.kind === 'plan-proposed')
      return (event.plan as { blockers: { kind: string }[] }).blockers.map(({ kind }) => kind)
    return []
  })

const untilBlocked = (url: string, id: unknown, kind: string) =>
  until(`a blocker ${kind}`, async () => {
    const rows = await rowsOf(url, id)
    if (rows.some(({ event }) => event.kind === 'maintenance-ended'))
      throw new Error(`it ended: ${JSON.stringify(rows.at(-3))}`)
    return blockersIn(rows).includes(kind) ? rows : undefined
  })

describe('a start that cannot be', () => {
  test('an unknown node is refused with the names of those that are there', async () => {
    await withBoth({}, async ({ lab, url }) => {
      const answer = await start(url, 'pve9')
      expect(answer.status).toBe(409)
      expect(JSON.stringify(answer.body)).toMatch(/no node pve9.*pve1, pve2, pve3, pve4/)
      expect((await getJson<{ maintenances: unknown[] }>(`${url}/api/maintenances`))?.maintenances).toEqual([])
      await expectUntouched(lab)
    })
  })

  test('a wrong Proxmox token is said, with what to correct', async () => {
    const wrong = freshFolder('token')
    writeFileSync(join(wrong, 'token'), '00000000-0000-0000-0000-000000000000')
    const change = (yaml: string) => yaml.replaceAll(/file: .*proxmox-token/g, `file: ${join(wrong, 'token')}`)
    await withBoth({ change }, async ({ lab, url }) => {
      const answer = await start(url, 'pve3')
      expect(answer.status).toBe(409)
      expect(JSON.stringify(answer.body)).toMatch(/401/)
      expect(JSON.stringify(answer.body)).toMatch(/token/)
      expect(JSON.stringify(answer.body)).not.toContain('00000000-0000')
      await expectUntouched(lab)
    })
    rmSync(wrong, { recursive: true })
  })

  test('a second one in the cluster is refused by the name of the first, which goes on; the same key is the same one', async () => {
    await withBoth({}, async ({ lab, url }) => {
      const first = await start(url, 'pve3', 'key-1')
      expect(first.status).toBe(201)
      const id = first.body.id as string
      expect(await start(url, 'pve3', 'key-1')).toEqual({ status: 200, body: { id } })
      for (const node of ['pve1', 'pve3']) {
        const second = await start(url, node, `other-${node}`)
        expect(second.status).toBe(409)
        expect(JSON.stringify(second.body)).toContain(id)
      }
      await until('its plan', async () =>
        (await rowsOf(url, id)).some(({ event }) => event.kind === 'plan-proposed') ? true : undefined,
      )
      const control = { kind: 'abort', by: 'olga', reason: 'not today' }
      expect((await postJson(`${url}/api/maintenances/${id}/control`, control)).status).toBe(202)
      const ended = await until('its end', async () =>
        (await rowsOf(url, id)).find(({ event }) => event.kind === 'maintenance-ended'),
      )
      expect(ended.event.ending).toMatch(/undone|failed/)
      await expectUntouched(lab)
      // Its last notice goes out before it lets go of the cluster.
      await until('the next start', async () => ((await start(url, 'pve1', 'after')).status === 201 ? true : undefined))
    })
  })

  test('a node in somebody’s maintenance mode is a blocker, and nothing is done', async () => {
    // Its maintenance mode makes HA move guests away: what counts is what was done by us.
    await withBoth({ faults: [{ kind: 'maintenance-mode-by-other', node: 'pve3' }] }, async ({ url }) => {
      const { body } = await start(url, 'pve3')
      const rows = await untilBlocked(url, body.id, 'node-in-maintenance')
      const acts = rows.flatMap(({ event }) => (event.kind === 'intends' ? [(event.act as { kind: string }).kind] : []))
      expect(acts.filter((kind) => kind !== 'notify')).toEqual([])
    })
  })

  test('a cluster without quorum is a blocker, and nothing is touched', async () => {
    await withBoth({ faults: [{ kind: 'quorum-lost', forS: 864_000 }] }, async ({ lab, url }) => {
      const { status, body } = await start(url, 'pve3')
      if (status === 409) expect(JSON.stringify(body)).toMatch(/quorum|answer/)
      else await untilBlocked(url, body.id, 'cluster-not-quorate')
      await expectUntouched(lab)
    })
  })
})

describe('the database', () => {
  let lab: ServedLab
  beforeAll(async () => {
    lab = await serveLab('--snapshot', DEMO_CLUSTER, '--follow', '--speed', 'max')
  })
  afterAll(() => end(lab.run))

  const configWith = (url: string, change?: (yaml: string) => string) => {
    const stateDir = freshFolder('without')
    return configFor(stateDir, lab.ready, url, change)
  }

  test('that is not there is said, without its password', async () => {
    const config = configWith('postgresql://coulisse:hunter2@127.0.0.1:9/none')
    const { code, out, err } = await coulisse(['serve', '--config', config])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/ECONNREFUSED/)
    expect(err).not.toContain('hunter2')
  })

  test('that a newer Coulisse has used is refused and left as it is', async () => {
    const url = await freshDatabase()
    const config = configWith(url)
    const first = await serve(config, lab.ready)
    await end(first.run)
    await sql(url, `insert into coulisse.schema_version (version, name) values (9999, 'later')`)
    const { code, out, err } = await coulisse(['serve', '--config', config], {
      COULISSE_LAB_CONTROL: lab.ready.control,
    })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/9999.*newer/)
    await sql(url, 'delete from coulisse.schema_version where version = 9999')
    const again = await serve(config, lab.ready)
    await end(again.run)
  })

  test('of DATABASE_URL serves where the configuration names none', async () => {
    const url = await freshDatabase()
    const config = configWith('', (yaml) => yaml.replace(/^database:\n {2}url: .*\n/m, ''))
    expect(readFileSync(config, 'utf8')).not.toContain('database:')
    const { run } = await serve(config, lab.ready, { DATABASE_URL: url })
    await end(run)
    await sql(url, 'select 1 / (select count(*) from coulisse.schema_version)::int')
  })
})

describe('files', () => {
  const expectRefused = async (args: readonly string[], ...words: readonly RegExp[]) => {
    const { code, out, err } = await coulisse(args)
    expect([args, code, out]).toEqual([args, 2, ''])
    for (const word of words) expect(err).toMatch(word)
    expect(err.trimEnd().split('\n').length).toBeGreaterThanOrEqual(words.length)
    expect(err).not.toMatch(/^\s+at /m)
  }
  const file = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  test('a configuration is refused with one line a fault and where it stands', async () => {
    await expectRefused(['serve', '--config', '/nope.yaml'], /\/nope\.yaml: cannot be read/)
    await expectRefused(['serve', '--config', file('no.yaml', ': [')], /no\.yaml/)
    await expectRefused(['serve', '--config', file('empty.yaml', '')], /empty\.yaml:1:1: \$/)
    const lines = [
      'cluster: 5',
      'surprise: 1',
      'stateDir: /tmp',
      'ceph: none',
      'nodes: {}',
      'proxmox: { entryPoints: [] }',
    ]
    await expectRefused(
      ['serve', '--config', file('bad.yaml', lines.join('\n'))],
      /\$\.cluster/,
      /surprise/,
      /\$\.proxmox/,
    )
  })

  test('a secret that is not there is named by its place, before anything is opened', async () => {
    const lab = await serveLab('--snapshot', DEMO_CLUSTER)
    await end(lab.run)
    const config = configFor(freshFolder('secret'), lab.ready, 'postgresql://127.0.0.1:9/none', (yaml) =>
      yaml.replaceAll(/proxmox-token/g, 'gone').replace(/bmc-pve2/, 'gone-too'),
    )
    await expectRefused(
      ['serve', '--config', config],
      /\$\.proxmox\.entryPoints\.0\.tokenSecret/,
      /\$\.nodes\.pve2\.bmc\.password/,
    )
  })

  test('a snapshot is refused with one line a fault and its path, by every command that reads one', async () => {
    const example = JSON.parse(readFileSync(EXAMPLE, 'utf8')) as { nodes: unknown[]; guests: { node: string }[] }
    const broken = {
      ...example,
      nodes: [...example.nodes, { name: 5 }],
      guests: [{ ...example.guests[0], node: 'pve99' }],
    }
    const path = file('broken.json', JSON.stringify(broken))
    for (const args of [
      ['lab', 'serve', '--snapshot'],
      ['plan', '--drain', 'pve3', '--json', '--snapshot'],
    ]) {
      await expectRefused([...args, path], /nodes.*name/)
      await expectRefused([...args, file('no.json', '{')], /not JSON/)
      await expectRefused([...args, '/nope.json'], /\/nope\.json/)
    }
  })
})
