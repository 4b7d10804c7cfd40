/** The style of customers' pages: light and dark, phone and paper, contrast AA in both (held by a test with axe). */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #1d2426; --soft: #4d585c; --ground: #fbfaf7; --card: #ffffff; --line: #d9d8d1; --mark: #0f5a52; --warn: #7a3b00; --warn-ground: #fff1de; --calm: #bcd9d4 }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ecec; --soft: #aeb9bc; --ground: #14191b; --card: #1c2326; --line: #364146; --mark: #7fd3c6; --warn: #ffc98a; --warn-ground: #35260f; --calm: #2f5a54 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1.0625rem/1.55 system-ui, "Segoe UI", "Noto Sans", sans-serif; overflow-wrap: anywhere }
main, footer { max-width: 46rem; margin: 0 auto; padding: 0 1.25rem }
main { padding-top: 2.5rem }
header p { margin: 0; color: var(--soft) }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .35rem 0 .6rem; letter-spacing: -.01em }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem }
h3 { font-size: 1.0625rem; margin: 1.8rem 0 .4rem }
p { margin: 0 0 .8rem }
.simulated { border-left: .3rem solid var(--warn); background: var(--warn-ground); color: var(--warn); padding: .55rem .9rem; margin: 1rem 0 0 }
.short { background: var(--card); border: 1px solid var(--line); border-top: .25rem solid var(--mark); border-radius: .4rem; padding: .4rem 1.4rem .6rem; margin-top: 1.6rem; font-size: 1.125rem }
.short h2 { margin-top: 1rem }
table { width: 100%; border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums }
caption { text-align: left; font-weight: 600; padding: .4rem 0 }
th, td { overflow-wrap: break-word; text-align: left; vertical-align: top; padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line) }
thead th { color: var(--soft); font-weight: 500; font-size: .875rem }
tbody th { font-weight: 600 }
th[scope=rowgroup] { padding-top: 1.1rem }
th[scope=rowgroup] span { font-weight: 400; color: var(--soft) }
th:last-child, td:last-child { padding-right: 0 }
td:nth-child(2) { min-width: 6.5rem }
.figure { white-space: nowrap }
.why { color: var(--soft); display: block; font-size: .875rem; font-weight: 400 }
.over { color: var(--warn); font-weight: 600 }
figure { margin: 1.4rem 0 }
figcaption { font-weight: 600; margin-bottom: .4rem }
figure svg { display: block }
details { font-size: .9375rem; margin-top: .3rem }
summary { color: var(--soft); cursor: pointer; padding: .3rem 0 }
ul { margin: 0 0 .8rem; padding-left: 1.2rem }
code { font: .875rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; word-break: break-all }
footer { color: var(--soft); font-size: .875rem; padding-top: 2rem; padding-bottom: 2.5rem }
@media (max-width: 34rem) {
  main { padding-top: 1.4rem }
  h1 { font-size: 1.4rem }
  .short { padding: .2rem 1rem .3rem; font-size: 1.0625rem }
  th, td { padding-right: .6rem }
  table { font-size: .875rem }
}
@media print { body { background: #fff; color: #000 } .short, tr { break-inside: avoid } }
`
