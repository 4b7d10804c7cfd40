/** The pages in a real browser: axe finds nothing in light and dark, on a phone and a desk, and the forms work without script. */
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildServer } from '../api/server.ts'
import { NIGHT, NightControlPlane, type NightMoment } from '../sample-night.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
const hasBrowser = existsSync(CHROMIUM)
if (!hasBrowser) console.log(`left out: the browser tests of the pages, for there is no ${CHROMIUM}`)

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'

/** Set to a folder, every page that is tested is also photographed there. */
const PICTURES = process.env.PAGE_PICTURES

const SIZES = { phone: { width: 360, height: 740 }, desk: { width: 1280, height: 900 } } as const
const PAGES: readonly (readonly [name: string, moment: NightMoment, path: string])[] = [
  ['overview', 'at a gate', '/'],
  ['approval', 'before approval', `/maintenances/${NIGHT}`],
  ['draining', 'draining', `/maintenances/${NIGHT}`],
  ['gate', 'at a gate', `/maintenances/${NIGHT}`],
  ['repair', 'in repair', `/maintenances/${NIGHT}`],
  ['over', 'over', `/maintenances/${NIGHT}`],
  ['lift', 'at a gate', `/maintenances/${NIGHT}/act/lift`],
  ['abort', 'draining', `/maintenances/${NIGHT}/act/abort`],
  ['order', 'in repair', `/maintenances/${NIGHT}/work-orders/wo-1`],
  ['order-right', 'in repair', `/maintenances/${NIGHT}/work-orders/wo-1?serial=CZ3-0417`],
  ['order-wrong', 'in repair', `/maintenances/${NIGHT}/work-orders/wo-1?serial=CZ3-9999`],
  ['missing', 'draining', '/maintenances/nope'],
]

type Look = readonly [size: keyof typeof SIZES, colorScheme: 'light' | 'dark']

/** Each page in both sizes and both schemes; all four together only for pictures, for colours do not depend on the width. */
function looksFor(name: string): readonly Look[] {
  const straight: readonly Look[] = [
    ['phone', 'light'],
    ['desk', 'dark'],
  ]
  const crossed: readonly Look[] = [
    ['phone', 'dark'],
    ['desk', 'light'],
  ]
  if (PICTURES !== undefined) return [...straight, ...crossed]
  return PAGES.findIndex(([one]) => one === name) % 2 === 0 ? straight : crossed
}

describe.skipIf(!hasBrowser)('in a browser', () => {
  let browser: Browser
  const servers = new Map<NightMoment, { readonly url: string; close(): Promise<unknown> }>()

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS.split(' ') })
    if (PICTURES !== undefined) mkdirSync(PICTURES, { recursive: true })
  })
  afterAll(async () => {
    await browser.close()
    await Promise.all([...servers.values()].map((server) => server.close()))
  })

  async function urlAt(moment: NightMoment): Promise<string> {
    const known = servers.get(moment)
    if (known !== undefined) return known.url
    const server = buildServer(new NightControlPlane(moment), { publicHosts: [], freshKey: () => crypto.randomUUID() })
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    servers.set(moment, { url, close: () => server.close() })
    return url
  }

  async function withPage<T>(options: BrowserContextOptions, use: (page: Page) => Promise<T>): Promise<T> {
    const context = await browser.newContext(options)
    try {
      return await use(await context.newPage())
    } finally {
      await context.close()
    }
  }

  /** Ids of the rules broken and where. */
  function faultsOf(page: Page): Promise<readonly string[]> {
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
      }
      const { violations } = await axe.run()
      return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`))
    })
  }

  test.each(PAGES)('axe finds nothing on %s, light and dark, on a phone and a desk', async (name, moment, path) => {
    const url = await urlAt(moment)
    // axe comes as script into the page: our policy would rightly keep it out.
    await withPage({ bypassCSP: true }, async (page) => {
      await page.goto(`${url}${path}`)
      await page.addScriptTag({ path: AXE })
      for (const [size, colorScheme] of looksFor(name)) {
        await page.setViewportSize(SIZES[size])
        await page.emulateMedia({ colorScheme })
        const widthPx = 'document.documentElement.scrollWidth'
        expect(await page.evaluate(widthPx), `${size}: nothing is wider than the screen`).toBe(SIZES[size].width)
        expect(await faultsOf(page), `${size}, ${colorScheme}`).toEqual([])
        if (PICTURES === undefined) continue
        await page.screenshot({ path: join(PICTURES, `${name}-${size}-${colorScheme}.png`), fullPage: true })
      }
    })
  })

  test('without script an operator pauses with name and two clicks', async () => {
    const url = await urlAt('at a gate')
    await withPage({ javaScriptEnabled: false, viewport: SIZES.phone }, async (page) => {
      await page.goto(`${url}/maintenances/${NIGHT}`)
      await page.getByRole('link', { name: 'Pause' }).click()
      await page.getByLabel('Your name').fill('eva')
      await page.getByRole('button', { name: 'Pause now' }).click()
      await expect.poll(() => page.locator('.titled .badge').first().textContent()).toBe('paused')
    })
  })

  test('without script a technician confirms the node, answers, and keeps what he typed when something is missing', async () => {
    const server = buildServer(new NightControlPlane('in repair'), {
      publicHosts: [],
      freshKey: () => crypto.randomUUID(),
    })
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    try {
      await withPage({ javaScriptEnabled: false, viewport: SIZES.phone }, async (page) => {
        await page.goto(`${url}/maintenances/${NIGHT}/work-order`)
        await page.getByLabel('Serial, read off the chassis').fill('cz3 0417')
        await page.getByRole('button', { name: 'Compare' }).click()
        await page.getByLabel('Cleaned the fans').check()
        await page.getByLabel('Repaired: my hands are off').check()
        await page.getByLabel('What you found').fill('dust')
        await page.getByLabel('Your name').fill(' ')
        await page.getByRole('button', { name: 'Send the answer' }).click()
        expect(await page.getByRole('alert').textContent()).toContain('a name is needed')
        expect(await page.getByLabel('What you found').inputValue()).toBe('dust')
        await page.getByLabel('Your name').fill('Tom')
        await page.getByRole('button', { name: 'Send the answer' }).click()
        expect(await page.getByText('repaired, by Tom: dust').count()).toBe(1)
      })
    } finally {
      await server.close()
    }
  })

  test('the live page follows the journal', async () => {
    const controlPlane = new NightControlPlane('draining')
    const server = buildServer(controlPlane, { publicHosts: [], freshKey: () => crypto.randomUUID() })
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    try {
      await withPage({}, async (page) => {
        // Waited for from before: the stream may be open before the page has loaded.
        const stream = page.waitForResponse((response) => response.url().includes('/events'))
        await page.goto(`${url}/maintenances/${NIGHT}`)
        await stream
        controlPlane.append({ kind: 'said', text: 'something new' })
        await page.getByText('something new').waitFor()
        expect(await page.locator('.journal').count()).toBe(1)
      })
    } finally {
      await server.close()
    }
  })
})
