// core/regex/template.ts: replacement texts in Go's syntax: $1, ${1}, $name, ${name}, $$.
//
// Hot: expandTemplate, where a middleware rewrites by expression; the template is read once.
// As in Go, "$1x" names the group "1x", which does not exist and stands for nothing.

export interface Template {
  readonly texts: readonly string[] // one more than groups: text, group, text, group, text
  readonly groups: readonly number[] // -1: no such group
}

export function parseTemplate(source: string, groupNames: readonly string[]): Template {
  const texts: string[] = []
  const groups: number[] = []
  const reference = /\$(?:(\$)|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})/g
  let text = ''
  let from = 0
  for (let found = reference.exec(source); found !== null; found = reference.exec(source)) {
    text += source.slice(from, found.index)
    from = reference.lastIndex
    if (found[1] !== undefined) text += '$'
    else {
      texts.push(text)
      groups.push(groupOf(found[2] ?? found[3]!, groupNames))
      text = ''
    }
  }
  texts.push(text + source.slice(from))
  return { texts, groups }
}

function groupOf(name: string, groupNames: readonly string[]): number {
  if (!/^[0-9]+$/.test(name)) {
    const index = groupNames.indexOf(name)
    return index < 0 ? -1 : index + 1
  }
  const number = Number(name)
  return number <= groupNames.length ? number : -1
}

export function expandTemplate(template: Template, groups: readonly (string | null)[]): string {
  let out = template.texts[0]!
  for (let i = 0; i < template.groups.length; i++) {
    const group = template.groups[i]!
    if (group >= 0) out += groups[group] ?? ''
    out += template.texts[i + 1]!
  }
  return out
}
