/** The page that says why there is nothing to see. */
import { html } from './html.ts'
import { page } from './layout.ts'

export function problemPage({ title, detail }: { readonly title: string; readonly detail?: string }): string {
  const body = html`<div class="narrow"><h1>${title}</h1>${detail !== undefined && html`<p>${detail}</p>`}<p><a href="/">To the overview</a></p></div>`
  return page({ title, body, simulated: false })
}
