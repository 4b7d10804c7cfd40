/**
 * How a document looks on paper, in typst (https://typst.app/docs). The document comes in as JSON and is shown as text, so that no
 * name can become markup. PDF/UA asks for a title, a language, headings in order, heads of tables and words for each picture.
 */
export const TEMPLATE = `
#let doc = json(bytes(sys.inputs.document))
#let day = doc.day
#set document(title: doc.title, author: doc.author, date: datetime(year: day.year, month: day.month, day: day.day))
#set text(lang: doc.language, size: 10.5pt, font: "Libertinus Serif", fill: rgb("#1d2426"))
#set page(
  paper: "a4",
  margin: (x: 22mm, top: 20mm, bottom: 22mm),
  footer: context align(center, text(size: 8.5pt, fill: rgb("#4d585c"), [#doc.title · #counter(page).display("1 / 1", both: true)])),
)
#set par(leading: 0.62em, spacing: 0.9em)
#let soft = rgb("#4d585c")
#let line-colour = rgb("#d9d8d1")
#let mark = rgb("#0f5a52")
#let warn = rgb("#9a4a00")
#show heading.where(level: 1): it => block(above: 0.4em, below: 0.8em, text(size: 19pt, weight: "semibold", it.body))
#show heading.where(level: 2): it => block(above: 1.5em, below: 0.7em, text(size: 13.5pt, weight: "semibold", fill: mark, it.body))
#show heading.where(level: 3): it => block(above: 1.2em, below: 0.6em, text(size: 11pt, weight: "semibold", it.body))
#show raw: set text(size: 8pt)

#let cell-content(it) = {
  let main = if it.at("isOver", default: false) { text(fill: warn, weight: "bold", it.text) } else { text(it.text) }
  let why = it.at("why", default: none)
  if why == none { main } else [#main \\ #text(size: 8.5pt, fill: soft, why)]
}
#let show-table(it) = {
  let columns = it.head.len()
  let cells = ()
  for group in it.groups {
    let heading = group.at("heading", default: none)
    if heading != none {
      cells.push(table.cell(colspan: columns, inset: (top: 8pt, bottom: 4pt, left: 0pt))[*#heading.text* #text(fill: soft, heading.at("small", default: ""))])
    }
    for row in group.rows {
      for one in row { cells.push(table.cell(colspan: one.at("span", default: 1), cell-content(one))) }
    }
  }
  set text(size: 9.5pt)
  table(
    columns: (1fr,) * columns,
    stroke: (x, y) => (bottom: 0.5pt + line-colour),
    inset: (x: 0pt, y: 4.5pt, right: 6pt),
    align: left,
    table.header(..it.head.map(words => text(fill: soft, size: 9pt, words))),
    ..cells,
  )
}
#let show-block(it) = {
  if it.is == "text" { par(text(it.text)) }
  else if it.is == "heading" { heading(level: 3, text(it.text)) }
  else if it.is == "list" { list(..it.items.map(item => text(item))) }
  else if it.is == "code" { par[#it.label #raw(it.text)] }
  else if it.is == "table" { show-table(it.table) }
  else if it.is == "chart" {
    block(breakable: false, {
      heading(level: 3, text(it.chart.title))
      image(bytes(it.chart.paperSvg), format: "svg", width: 100%, alt: it.chart.alt)
      if it.chart.at("legend", default: none) != none { par(text(size: 8.5pt, fill: soft, it.chart.legend)) }
    })
  }
}

#text(fill: soft, doc.kicker)
#heading(level: 1, text(doc.title))
#if doc.at("simulated", default: none) != none {
  block(width: 100%, fill: rgb("#fff1de"), stroke: (left: 3pt + warn), inset: 8pt, text(fill: rgb("#7a3b00"), doc.simulated.text))
}
#for section in doc.sections {
  let body = {
    heading(level: 2, text(section.heading))
    for it in section.blocks { show-block(it) }
  }
  if section.at("isShort", default: false) {
    block(width: 100%, stroke: (top: 2.5pt + mark, rest: 0.5pt + line-colour), inset: (x: 12pt, top: 12pt, bottom: 10pt), text(size: 11.5pt, body))
  } else { body }
}
#v(1em)
#for words in doc.footer { par(text(size: 9pt, fill: soft, words)) }
`
