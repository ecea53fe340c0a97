// core/middleware/weights.ts: headers in which clients weigh what they would like: Accept, Accept-Encoding.
//
// Hot: no. Clients send a handful of different values; who asks keeps the answers. RFC 9110, section 12.4.2.

const QVALUE = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/
const ITEMS_MAX = 100 // of one value; what comes behind is not looked at

// Names in lower case and in the order in which they came, with their weights in thousandths; the first of several equal
// names counts. What is malformed is as if it were not there: a thing is used only if the client has said so.
// `parameters`: whether a name may have some before its q, as media types do.
export function weightsIn(
  header: string,
  isName: RegExp,
  parameters: boolean,
): ReadonlyMap<string, number> {
  const byName = new Map<string, number>()
  for (const item of header.split(',', ITEMS_MAX)) {
    const [text = '', ...given] = item.split(';')
    const name = text.trim().toLowerCase()
    const weight = weightOf(parameters ? given.filter(isWeight) : given)
    if (weight !== null && isName.test(name) && !byName.has(name)) byName.set(name, weight)
  }
  return byName
}

const isWeight = (parameter: string): boolean => /^\s*q\s*(?:=|$)/i.test(parameter)

function weightOf(parameters: readonly string[]): number | null {
  if (parameters.length === 0) return 1000
  if (parameters.length > 1) return null
  const [name = '', value = ''] = parameters[0]!.trim().split('=')
  if (name.toLowerCase() !== 'q' || !QVALUE.test(value)) return null
  return Math.round(Number(value) * 1000)
}
