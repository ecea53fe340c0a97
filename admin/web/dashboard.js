// Reads the API and shows it; changes nothing. Every value is set as text, never as markup.

const api = new URL('../api/', location.href)

async function read(path) {
  const response = await fetch(new URL(path, api))
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return { value: await response.json(), next: response.headers.get('X-Next-Page') }
}

async function readAll(path) {
  const items = []
  for (let page = 1; ; page++) {
    const { value, next } = await read(`${path}?page=${page}`)
    items.push(...value)
    if (next !== String(page + 1)) return items
  }
}

function element(name, text, className = '') {
  const made = document.createElement(name)
  made.textContent = text
  made.className = className
  return made
}

function fillTable(id, titles, rows) {
  const head = document.createElement('tr')
  head.append(...titles.map((title) => element('th', title)))
  const lines = rows.map((cells) => {
    const line = document.createElement('tr')
    line.append(...cells.map((cell) => element('td', cell ?? '')))
    return line
  })
  const none = element('caption', rows.length === 0 ? 'none' : '')
  document.getElementById(id).replaceChildren(none, head, ...lines)
}

function showState(overview) {
  const { sluice, providers } = overview
  const facts = {
    Generation: sluice.generation.number,
    'Last load': sluice.lastLoadSucceeded ? 'accepted' : 'refused: the one before is served',
    Workers: sluice.workers.map((worker) => `${worker.index}: ${worker.state}`).join(', '),
    Providers: providers.join(', '),
  }
  const state = document.getElementById('state')
  state.replaceChildren()
  for (const [name, value] of Object.entries(facts)) {
    state.append(element('dt', name), element('dd', String(value)))
  }
  const problems = sluice.problems.map((problem) => element('li', problem.text, problem.severity))
  document.getElementById('problems').replaceChildren(...problems)
}

function statusOf(item) {
  return [item.status, ...(item.error ?? [])].join(': ')
}

async function show() {
  const version = await read('version')
  document.getElementById('version').textContent = version.value.Version
  showState((await read('overview')).value)
  const points = await readAll('entrypoints')
  fillTable(
    'entrypoints',
    ['Name', 'Address', 'Engine'],
    points.map((p) => [p.name, p.address, p.engine]),
  )
  const routers = await readAll('http/routers')
  fillTable(
    'routers',
    ['Name', 'Entry points', 'Rule', 'Priority', 'Middlewares', 'Service', 'Status'],
    routers.map((r) => [
      r.name,
      (r.using ?? []).join(', '),
      r.rule,
      r.priorityStr,
      (r.middlewares ?? []).join(', '),
      r.service,
      statusOf(r),
    ]),
  )
  const services = await readAll('http/services')
  fillTable(
    'services',
    ['Name', 'Type', 'Servers', 'Used by', 'Status'],
    services.map((s) => [
      s.name,
      s.type,
      Object.entries(s.serverStatus ?? {})
        .map(([url, up]) => `${url} ${up}`)
        .join(', '),
      (s.usedBy ?? []).join(', '),
      statusOf(s),
    ]),
  )
  const middlewares = await readAll('http/middlewares')
  fillTable(
    'middlewares',
    ['Name', 'Type', 'Used by', 'Status'],
    middlewares.map((m) => [m.name, m.type, (m.usedBy ?? []).join(', '), statusOf(m)]),
  )
  await showStreams()
  await showCertificates()
}

async function showStreams() {
  const rows = []
  for (const kind of [
    'tcp/routers',
    'tcp/services',
    'tcp/middlewares',
    'udp/routers',
    'udp/services',
  ]) {
    for (const item of await readAll(kind)) {
      const leads = item.service ?? Object.keys(item.serverStatus ?? {}).join(', ')
      const where = (item.using ?? item.usedBy ?? []).join(', ')
      rows.push([
        kind.replace('/', ' ').slice(0, -1),
        item.name,
        where,
        item.rule,
        leads,
        statusOf(item),
      ])
    }
  }
  fillTable('streams', ['Kind', 'Name', 'On or used by', 'Rule', 'Leads to', 'Status'], rows)
}

async function showCertificates() {
  const certificates = await readAll('certificates')
  fillTable(
    'certificates',
    ['Names', 'Issuer', 'Ends', 'Key', 'Default', 'Status'],
    certificates.map((c) => [
      c.sans.join(', ') || c.commonName,
      c.issuerCommonName,
      c.notAfter,
      c.keyType,
      c.isDefault ? 'yes' : '',
      c.status,
    ]),
  )
}

show().catch((error) => {
  document.getElementById('problems').replaceChildren(element('li', String(error.message), 'error'))
})
