// What file templates give, construct by construct, and what is refused.

import { describe, expect, test } from 'vitest'
import { ConfigError } from '../problem.ts'
import { renderTemplate } from './template.ts'

const environment = { HOST: 'shop.example', EMPTY: '', LIST: 'a,b,c' }
const render = (text: string): string => renderTemplate(text, 'shop.yml', environment)

function fault(text: string): { line: number; column: number; message: string } {
  try {
    render(text)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems[0]!
    throw error
  }
  throw new Error('rendered')
}

describe('constructs', () => {
  test.each([
    ['text without actions stays as it is', 'a: 1\n', 'a: 1\n'],
    ['trim markers take white space away on their side', 'a  {{- 1 -}}  \n b', 'a1b'],
    ['a minus without a space is a sign', '{{-1}}', '-1'],
    ['comments leave nothing', 'a{{/* x }} y */}}b{{- /* z */ -}} c', 'abc'],
    ['if takes the first true branch', '{{if false}}a{{else if 1}}b{{else}}c{{end}}', 'b'],
    ['else is taken when nothing is true', '{{if ""}}a{{else if 0}}b{{else}}c{{end}}', 'c'],
    ['range gives index and value', '{{range $i, $v := list "a" "b"}}{{$i}}{{$v}}{{end}}', '0a1b'],
    ['range sets the dot', '{{range list 1 2 3}}[{{.}}]{{end}}', '[1][2][3]'],
    ['range over an integer counts from 0', '{{range $i := 3}}{{$i}}{{end}}', '012'],
    [
      'range over a map goes by sorted key',
      '{{range $k, $v := dict "b" 2 "a" 1}}{{$k}}{{$v}}{{end}}',
      'a1b2',
    ],
    ['range over nothing takes else', '{{range list}}x{{else}}none{{end}}', 'none'],
    [
      'break and continue',
      '{{range 9}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}',
      '023',
    ],
    ['with sets the dot when true', '{{with "x"}}{{.}}{{else}}no{{end}}', 'x'],
    [
      'an assignment reaches the outer variable',
      '{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}',
      '2',
    ],
    [
      'a declaration inside hides the outer variable',
      '{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}',
      '21',
    ],
    ['a pipeline gives its value last', '{{ "abc" | replace "b" "-" | upper }}', 'A-C'],
    ['parentheses nest', '{{ add 1 (mul 2 (sub 5 2)) }}', '7'],
    ['a field of a parenthesis', '{{ (split ":" "a:b")._1 }}', 'b'],
    ['a field of a variable', '{{ $d := dict "a" (dict "b" 7) }}{{ $d.a.b }}', '7'],
    ['raw strings keep backslashes', '{{ `a\\n` }}{{ "\\t" }}', 'a\\n\t'],
    ['actions may hold line breaks', '{{ add\n 1\n 2 }}', '3'],
  ])('%s', (_, template, wanted) => {
    expect(render(template)).toBe(wanted)
  })
})

describe('functions', () => {
  test.each([
    ['{{ env "HOST" }}/{{ env "UNSET" }}', 'shop.example/'],
    ['{{ env "UNSET" | default "x" }}{{ env "EMPTY" | default "y" }}', 'xy'],
    ['{{ expandenv "h=$HOST ${HOST}" }}', 'h=shop.example shop.example'],
    ['{{ env "constructor" }}', ''],
    ['{{ range splitList "," (env "LIST") }}{{ . }};{{ end }}', 'a;b;c;'],
    ['{{ (splitn "." 2 "a.b.c")._1 }}', 'b.c'],
    ['{{ join "-" (list 1 "b" true) }}', '1-b-true'],
    [
      '{{ trim " a " }}{{ trimPrefix "v" "v1" }}{{ trimSuffix "/" "a/" }}{{ trimAll "$" "$5$" }}',
      'a1a5',
    ],
    ['{{ quote "a\\"b" }}{{ squote "x" }}', '"a\\"b"\'x\''],
    ['{{ title "hello world" }}', 'Hello World'],
    [
      '{{ printf "%s-%03d|%-4s|%5.2f|%q|%v|%x|%%" "a" 7 "b" 1.5 "c" (list 1 2) 255 }}',
      'a-007|b   | 1.50|"c"|[1 2]|ff|%',
    ],
    ['{{ len "é" }}{{ len (list 1 2) }}', '22'],
    ['{{ index (list "a" "b") 1 }}{{ index (dict "k" "v") "k" }}', 'bv'],
    ['{{ hasKey (dict "a" 1) "a" }}{{ keys (dict "b" 1 "a" 2) }}', 'true[a b]'],
    ['{{ until 3 }}{{ untilStep 0 10 4 }}{{ untilStep 3 0 -1 }}', '[0 1 2][0 4 8][3 2 1]'],
    ['{{ div 7 2 }}{{ mod 7 2 }}{{ int "42" }}{{ int "x" }}{{ max 1 5 3 }}', '314205'],
    ['{{ ternary "y" "n" true }}{{ empty "" }}{{ coalesce "" 0 "z" }}', 'ytruez'],
    ['{{ first (list 1 2) }}{{ last (list 1 2) }}{{ rest (list 1 2 3) }}', '12[2 3]'],
    ['{{ uniq (list 1 "1" 1) }}{{ sortAlpha (list "b" "a") }}', '[1 1][a b]'],
    ['{{ b64enc "hi" }}{{ b64dec "aGk=" }}', 'aGk=hi'],
    ['{{ nindent 2 "a\\nb" }}', '\n  a\n  b'],
    ['{{ regexMatch "^a+$" "aaa" }}{{ regexReplaceAll "a(.)" "abac" "${1}" }}', 'truebc'],
    [
      '{{ and 1 0 2 }}{{ or 0 "" 3 }}{{ not 0 }}{{ eq 1 2 1 }}{{ lt 1 2 }}{{ ge "b" "a" }}',
      '03truetruetruetrue',
    ],
    ['{{ or true (fail "not evaluated") }}', 'true'],
    ['{{ $d := dict "a" 1 }}{{ $_ := set $d "b" 2 }}{{ $d.b }}', '2'],
  ])('%s', (template, wanted) => {
    expect(render(template)).toBe(wanted)
  })
})

describe('refusals say where and why', () => {
  test.each([
    ['a\n  {{ nope 1 }}', 2, 6, 'function "nope" is not known'],
    ['{{ $x }}', 1, 4, '$x is not declared'],
    ['{{ if true }}', 1, 1, 'no "end"'],
    ['{{ end }}', 1, 1, 'without if'],
    ['{{ "a }}', 1, 4, 'string has no end'],
    ['{{ 1', 1, 1, 'no "}}"'],
    ['{{ define "x" }}{{ end }}', 1, 1, '"define" is not supported'],
    ['{{ readFile "x" }}', 1, 4, 'reads a file'],
    ['{{ now }}', 1, 4, 'another result each time'],
    ['{{ .Host }}', 1, 4, 'only a map has fields'],
    ['{{ $d := dict }}{{ $d.a }}', 1, 20, 'has no value to print'],
    ['{{ div 1 0 }}', 1, 4, 'division by zero'],
    ['{{ index (list 1) 4 }}', 1, 4, 'outside of a list'],
    ['{{ eq 1 "1" }}', 1, 4, 'one simple kind'],
    ['{{ regexMatch "(" "x" }}', 1, 4, 'not valid'],
    ['{{ add 1 | 2 }}', 1, 12, 'only a function'],
    ['{{ break }}', 1, 1, 'outside of range'],
    ['{{ join "," }}', 1, 4, 'got 1 arguments, takes 2'],
    ['{{ printf "%d" }}', 1, 4, 'nothing is left'],
    ['{{ required "HOST is needed" (env "UNSET") }}', 1, 4, 'HOST is needed'],
  ])('%s', (template, line, column, message) => {
    const problem = fault(template)
    expect(problem).toMatchObject({ line, column })
    expect(problem.message).toContain(message)
  })
})

describe('no template takes more than its bounds', () => {
  test.each([
    [
      'endless ranges',
      '{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}',
      'steps',
    ],
    [
      'doubling texts',
      '{{ $x := "xxxxxxxx" }}{{ range 99 }}{{ $x = print $x $x }}{{ end }}',
      '16 MiB',
    ],
    ['repeated texts', '{{ repeat 999999999 "x" }}', '16 MiB'],
    ['replacements', '{{ $x := repeat 100000 "a" }}{{ replace "a" $x $x }}', '16 MiB'],
    ['joins', '{{ join (repeat 100000 "a") (until 1000) }}', '16 MiB'],
    ['indents', '{{ indent 99999999 "a\\nb" }}', '16 MiB'],
    ['lists', '{{ until 999999999 }}', 'list of more than'],
    ['output', '{{ $x := repeat 1000000 "a" }}{{ range 99 }}{{ $x }}{{ end }}', '16 MiB'],
    ['wide numbers', '{{ printf "%999999d" 1 }}', 'width above'],
    ['nesting', '{{ if true }}'.repeat(200) + '{{ end }}'.repeat(200), 'nested deeper'],
    ['parentheses', `{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`, 'nested deeper'],
    ['else-if chains', `{{ if 0 }}${'{{ else if 0 }}'.repeat(5000)}{{ end }}`, 'nested deeper'],
    ['a map in itself', '{{ $d := dict }}{{ $_ := set $d "a" (list $d) }}', 'hold itself'],
    ['nested values', '{{ $x := list }}{{ range 90000 }}{{ $x = list $x }}{{ end }}{{ $x }}', ''],
  ])('%s', (_, template, message) => {
    const started = performance.now()
    expect(fault(template).message).toContain(message)
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})
