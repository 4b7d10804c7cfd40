import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sha256 } from '#domain/merkle'
import { customerStories } from './decide.ts'
import { toHtml } from './document/to-html.ts'
import { reportOf } from './report.ts'
import { BAD_NIGHT, CUSTOMERS, GOOD_NIGHT, rowsOf } from './sample-journal.ts'

const CHROMIUM = '/usr/bin/chromium'
const isThere = existsSync(CHROMIUM)
if (!isThere) console.log(`left out: pages in a real browser, because ${CHROMIUM} is not installed`)

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const PHONE_WIDTH = 320
const sha256: Sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex')
const stories = [GOOD_NIGHT, BAD_NIGHT].flatMap((night) => customerStories(rowsOf(night, sha256), CUSTOMERS))
const pages = stories.map((story) => toHtml(reportOf(story, { simulated: true, hoster: 'Example Hosting' })))

describe.skipIf(!isThere)('in a real browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
  })
  afterAll(() => browser?.close())

  test.each(['light', 'dark'] as const)(
    'axe finds nothing in %s, in three languages, well or badly',
    async (colorScheme) => {
      const context = await browser.newContext({ colorScheme, viewport: { width: PHONE_WIDTH, height: 800 } })
      const page = await context.newPage()
      for (const html of pages) {
        await page.setContent(html)
        await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core') })
        const found = await page.evaluate(
          `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })
          .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))`,
        )
        expect(found).toEqual([])
        // Nothing to scroll sideways on the narrowest phone.
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE_WIDTH)
      }
      await context.close()
    },
  )
})
