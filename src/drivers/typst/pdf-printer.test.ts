import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Document } from '#domain/document'
import { pdfPrinter } from './pdf-printer.ts'

const POPPLER = ['/usr/bin/pdftotext', '/usr/bin/pdfinfo']
const isThere = POPPLER.every((path) => existsSync(path))
if (!isThere) console.log('left out: PDFs read back, because poppler-utils (pdftotext, pdfinfo) is not installed')

const NASTY = '#panic("x") *bold* <b>B & C</b> $1$ \\ `raw` @label // no comment'
const DOCUMENT: Document = {
  language: 'fr',
  title: 'Maintenance du nœud pve3',
  kicker: 'Hébergeur · Pour Bouleau & Fils',
  author: 'Hébergeur',
  simulated: { label: 'Simulé', text: 'Simulé : d’un laboratoire' },
  sections: [
    { id: 'short', heading: 'En bref', isShort: true, blocks: [{ is: 'text', text: NASTY }] },
    {
      id: 'annex',
      heading: 'En détail',
      blocks: [
        { is: 'heading', text: 'Serveurs' },
        {
          is: 'table',
          table: {
            head: ['Quand', 'Pause'],
            groups: [
              {
                heading: { text: 'web', small: '101' },
                rows: [[{ text: '10:05' }, { text: '62 ms', isOver: true, why: 'limite 50 ms' }]],
              },
              { rows: [[{ text: 'Pas déplacé.', span: 2 }]] },
            ],
          },
        },
        {
          is: 'chart',
          tableLabel: 'En tableau',
          chart: {
            id: 'c',
            title: 'Image',
            alt: 'ce que l’image dit',
            svg: '',
            paperSvg:
              '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" fill="#0f5a52"/></svg>',
            twin: { head: ['a'], groups: [] },
          },
        },
        { is: 'list', items: ['nettoyé', 'remplacé'] },
        { is: 'code', label: 'Sceau', text: 'd636b130' },
      ],
    },
  ],
  footer: ['Toutes les heures sont en UTC.'],
  atMs: Date.UTC(2026, 10, 3, 11),
}

test('equal documents give equal bytes, another document others', async () => {
  const printer = pdfPrinter()
  const first = await printer.print(DOCUMENT)
  expect(Buffer.from(await pdfPrinter().print(DOCUMENT)).equals(Buffer.from(first))).toBe(true)
  expect(Buffer.from(await printer.print({ ...DOCUMENT, title: 'Autre' })).equals(Buffer.from(first))).toBe(false)
})

test('a picture that is no picture is an error in words, and the next document is set all the same', async () => {
  const printer = pdfPrinter()
  const broken = JSON.parse(JSON.stringify(DOCUMENT).replace('<svg xmlns', '<nonsense xmlns')) as Document
  await expect(printer.print(broken)).rejects.toMatchObject({ retry: 'never', message: expect.stringMatching(/SVG/i) })
  expect((await printer.print(DOCUMENT)).length).toBeGreaterThan(1000)
})

describe.skipIf(!isThere)('read back by poppler', () => {
  const folder = mkdtempSync(join(tmpdir(), 'coulisse-pdf-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const read = async (command: string, ...words: readonly string[]) => {
    const path = join(folder, 'document.pdf')
    writeFileSync(path, await pdfPrinter().print(DOCUMENT))
    return execFileSync(command, [path, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  }

  test('every word is there as it was written, markup or not', async () => {
    const text = (await read('pdftotext', '-')).replace(/\s+/g, ' ')
    const wanted = ['Bouleau & Fils', 'Simulé : d’un', NASTY, '62 ms', 'limite 50 ms', 'nettoyé', 'd636b130']
    for (const words of wanted) expect(text).toContain(words)
  })

  test('it is tagged, has a title, and the language and words for the picture stand in it', async () => {
    const info = await read('pdfinfo')
    expect(info).toMatch(/Tagged:\s+yes/)
    expect(info).toMatch(/Title:\s+Maintenance du nœud pve3/)
    expect(info).toMatch(/JavaScript:\s+no/)
    const structure = await read('pdfinfo', '-struct-text')
    for (const tag of ['H1', 'H2', 'H3', 'Table', 'TH', 'Figure', 'LI']) expect(structure).toContain(tag)
  })
})
