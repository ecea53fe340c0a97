// config/providers/template.ts: Go templates in routing files, rendered before they are parsed.
//
// The subset of text/template and sprig that people use in such files (docs/configuration.md lists it).
// Named templates are not supported; what is not known is an error at its line. Bounds: 16 MiB of output,
// 1,000,000 steps, 100 levels. Hot: no.

import { lineStartsOf, positionAt } from '../position.ts'
import { ConfigError } from '../problem.ts'
import { templateFunctions, type Environment } from './template/functions.ts'
import { TemplateRun } from './template/run.ts'
import { TemplateFault } from './template/scan.ts'
import { parseTemplate } from './template/tree.ts'

export type { Environment }

export function isTemplate(text: string): boolean {
  return text.includes('{{')
}

// Throws a ConfigError that points into `text`.
export function renderTemplate(text: string, file: string, environment: Environment): string {
  try {
    return new TemplateRun(templateFunctions(environment)).run(parseTemplate(text))
  } catch (error) {
    // A RangeError is a value nested too deeply to be printed, or a text beyond what a string can hold.
    if (!(error instanceof TemplateFault || error instanceof RangeError)) throw error
    const offset = error instanceof TemplateFault ? error.offset : 0
    const at = positionAt(lineStartsOf(text), Math.min(offset, text.length))
    throw new ConfigError([
      {
        severity: 'error',
        code: 'CONFIG_TEMPLATE',
        file,
        line: at.line,
        column: at.column,
        path: '',
        message: `template error: ${error.message}`,
        suggestion: '',
      },
    ])
  }
}
