/** The style sheet of the operators' and technician's pages: one file, no fonts, no pictures, light and dark, phone first. */

/** Status colours are set once a scheme; text on tint and tint on page hold WCAG AA (the browser test measures it). */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #fff; --ink: #1d2126; --dim: #565e68; --line: #dcdcd5; --track: #e6e6e0;
  --link: #0b57a4; --accent: #8a1538;
  --good: #17663a; --good-tint: #e3f3e8; --wait: #7a4b00; --wait-tint: #fcefd2;
  --bad: #a3161f; --bad-tint: #fde6e4; --busy: #0b57a4; --busy-tint: #e2eefb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121518; --card: #1b1f24; --ink: #e8eaed; --dim: #a4adb8; --line: #323942; --track: #2b3139;
    --link: #83bdff; --accent: #f08aa6;
    --good: #7fdc9f; --good-tint: #14301f; --wait: #f3c566; --wait-tint: #35280c;
    --bad: #ff9d96; --bad-tint: #3d1716; --busy: #8cc3ff; --busy-tint: #12293f;
  }
}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
a { color: var(--link) }
a:focus-visible, button:focus-visible, input:focus-visible, textarea:focus-visible, select:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--busy); outline-offset: 2px }
.skip { position: absolute; left: -99rem } .skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem }
header.top { border-bottom: 1px solid var(--line); background: var(--card) }
header.top div, main, footer { max-width: 76rem; margin: 0 auto; padding: .75rem 1rem }
header.top div { display: flex; gap: .75rem 1.25rem; align-items: center; flex-wrap: wrap }
.brand { font-weight: 700; letter-spacing: .02em; color: var(--accent); text-decoration: none; font-size: 1.1rem }
.simulated { background: var(--wait-tint); color: var(--wait); border-bottom: 1px solid var(--line); text-align: center; margin: 0; padding: .4rem 1rem; font-weight: 600; font-size: .9rem }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 .25rem } h2 { font-size: 1.05rem; margin: 0 0 .6rem } h3 { font-size: 1rem; margin: 1rem 0 .4rem }
p { margin: .3rem 0 .7rem } .dim { color: var(--dim) } small, .small { font-size: .875rem }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em } .num { font-variant-numeric: tabular-nums }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin: 0 0 1rem; min-width: 0 }
.card > :last-child { margin-bottom: 0 }
.columns { display: grid; gap: 0 1rem; grid-template-columns: minmax(0, 1fr) }
@media (min-width: 60rem) { .columns { grid-template: "b a" auto "b c" 1fr / minmax(0, 5fr) minmax(0, 3fr) } .a { grid-area: a } .b { grid-area: b } .c { grid-area: c } }
.badge { display: inline-block; border-radius: 1rem; padding: .1rem .65rem; font-size: .85rem; font-weight: 600; white-space: nowrap; background: var(--track); color: var(--ink) }
.good { background: var(--good-tint); color: var(--good) } .wait { background: var(--wait-tint); color: var(--wait) }
.bad { background: var(--bad-tint); color: var(--bad) } .busy { background: var(--busy-tint); color: var(--busy) }
.titled { display: flex; flex-wrap: wrap; gap: .4rem .8rem; align-items: center }
.stages { list-style: none; display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: .4rem; padding: 0; margin: 1rem 0 }
@media (min-width: 60rem) { .stages { grid-template-columns: repeat(8, minmax(0, 1fr)) } }
.stages li { border-radius: .5rem; padding: .45rem .5rem; border: 1px solid var(--line); background: var(--card); min-width: 0; font-size: .8rem; color: var(--dim) }
.stages b { display: block; font-size: .78rem; overflow-wrap: anywhere; color: inherit } @media (min-width: 30rem) { .stages b { font-size: .9rem } } .stages .good, .stages .busy, .stages .wait, .stages .bad { border-color: transparent }
.stages .good { background: var(--good-tint); color: var(--good) } .stages .busy { background: var(--busy-tint); color: var(--busy) }
.stages .wait { background: var(--wait-tint); color: var(--wait) }
.panel { border-radius: .6rem; padding: 1rem; margin: 0 0 1rem } .panel > :last-child { margin-bottom: 0 }
.panel ul { padding-left: 1.1rem; margin: .4rem 0 } .panel li { margin: .35rem 0 }
.interlock { border: 2px solid currentColor } .interlock strong { display: block; font-size: 1.5rem; line-height: 1.2 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-size: .8rem; color: var(--dim); font-weight: 600 }
th, td { padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top } tr:last-child td { border-bottom: 0 }
progress { width: 100%; height: .55rem; appearance: none; border: 0; border-radius: .3rem; background: var(--track); overflow: hidden; display: block; margin-top: .35rem }
progress::-webkit-progress-bar { background: var(--track) } progress::-webkit-progress-value { background: var(--busy) } progress::-moz-progress-bar { background: var(--busy) }
dl.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .7rem 1rem; margin: 0 }
dl.figures dt { font-size: .8rem; color: var(--dim) } dl.figures dd { margin: 0; font-size: 1.15rem; font-weight: 650; overflow-wrap: anywhere } dl.figures dd small { display: block; font-weight: 400; color: var(--dim) }
.buttons { display: flex; flex-wrap: wrap; gap: .6rem } .off { padding-left: 1.1rem; margin: .2rem 0 }
.actions { display: grid; gap: .5rem; margin: 0; padding: 0; list-style: none }
.actions li { display: flex; gap: .2rem .75rem; align-items: center; flex-wrap: wrap }
.button, button { font: inherit; font-weight: 600; display: inline-block; min-height: 2.75rem; padding: .55rem 1.1rem; border-radius: .5rem; border: 1px solid var(--link); background: var(--card); color: var(--link); text-decoration: none; cursor: pointer }
button.main, .button.main { background: var(--link); color: var(--card); border-color: var(--link) }
button.danger, .button.danger { border-color: var(--bad); color: var(--bad) } button.main.danger { background: var(--bad); color: var(--card) }
.journal { list-style: none; margin: 0; padding: 0; font-size: .9rem } .journal li { display: grid; grid-template-columns: 5.2rem minmax(0, 1fr); gap: .5rem; padding: .3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere } .journal li:last-child { border: 0 }
.journal time { color: var(--dim) } summary { cursor: pointer; color: var(--link); font-weight: 600; padding: .6rem 0 }
label, legend { font-weight: 600; display: block; margin: .9rem 0 .25rem; padding: 0 } fieldset { border: 0; margin: 0; padding: 0; min-width: 0 }
fieldset + fieldset { margin-top: 1.25rem }
label.check { font-weight: 400; display: flex; gap: .75rem; align-items: flex-start; margin: 0; padding: .65rem 0; border-bottom: 1px solid var(--line) }
input[type=text], textarea, input[type=file] { font: inherit; width: 100%; padding: .6rem .7rem; border: 1px solid var(--dim); border-radius: .5rem; background: var(--card); color: var(--ink); min-height: 2.75rem }
textarea { min-height: 5.5rem } input[type=checkbox], input[type=radio] { width: 1.6rem; height: 1.6rem; flex: none; margin: 0; accent-color: var(--link) }
.place { font-size: 1.5rem; font-weight: 700; line-height: 1.25 }
iframe { width: 100%; border: 0; height: 11.5rem; display: block; border-radius: .6rem; margin: 0 0 1rem }
form.narrow, .narrow { max-width: 40rem } .spaced { margin-top: 1.2rem }
footer { color: var(--dim); font-size: .875rem }
`
