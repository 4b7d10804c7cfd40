/** The enhancement of the live page: reloads its changing part when the journal grows. Pages work without it. */

/** At most one reload a second; the stream reconnects by itself with Last-Event-ID. */
export const LIVE_SCRIPT = `'use strict'
{
  const source = new EventSource(document.currentScript.dataset.events)
  let timer
  const reload = async () => {
    timer = undefined
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } })
      if (!answer.ok) return
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
      const [old, live] = [document, next].map((page) => page.querySelector('[data-live]'))
      for (const { id } of document.querySelectorAll('details[open]')) next.getElementById(id)?.setAttribute('open', '')
      const focused = document.activeElement?.getAttribute('href')
      if (old && live) { old.replaceWith(live); document.title = next.title }
      if (focused) document.querySelector('a[href="' + CSS.escape(focused) + '"]')?.focus()
      const [oldFooter, footer] = [document, next].map((page) => page.querySelector('footer'))
      if (oldFooter && footer) oldFooter.replaceWith(footer)
    } catch { timer = setTimeout(reload, 5000) }
  }
  source.addEventListener('row', () => { timer ??= setTimeout(reload, 1000) })
  // Time goes on where nothing happens: a soak, a wait.
  setInterval(() => { timer ??= setTimeout(reload, 0) }, 10000)
}
`
