// core/cache/http-date.ts: dates of HTTP (RFC 9110, section 5.6.7) as milliseconds since the epoch, and back.
//
// All three forms are read, whatever the case of their letters; anything else is no date (NaN), and the caller
// decides what that means for it. Pure: "now" is given where a two-digit year must be placed. Hot: no; once per
// response that is stored.

const IMF = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/i
const RFC_850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/i
const ASCTIME = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i
const DATE_MAX = 40 // the longest of them has 33 characters

const DAY_MS = 86_400_000
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const FIFTY_YEARS_MS = 50 * 365.25 * DAY_MS

// NaN for what is no date.
export function parseHttpDate(text: string, nowMs: number): number {
  if (text.length > DATE_MAX) return NaN
  const imf = IMF.exec(text)
  if (imf !== null) return timeOf(Number(imf[3]), imf[2]!, imf[1]!, imf[4]!, imf[5]!, imf[6]!)
  const old = RFC_850.exec(text)
  if (old !== null) return shortYear(old, nowMs)
  const c = ASCTIME.exec(text)
  return c === null ? NaN : timeOf(Number(c[6]), c[1]!, c[2]!, c[3]!, c[4]!, c[5]!)
}

// A year that would lie more than 50 years ahead is the one a century before.
function shortYear(match: RegExpExecArray, nowMs: number): number {
  const [, day = '', month = '', year = '', hour = '', minute = '', second = ''] = match
  const time = timeOf(2000 + Number(year), month, day, hour, minute, second)
  if (time <= nowMs + FIFTY_YEARS_MS) return time
  return timeOf(1900 + Number(year), month, day, hour, minute, second)
}

function timeOf(
  year: number,
  monthName: string,
  day: string,
  hour: string,
  minute: string,
  second: string,
): number {
  const month = months.indexOf(monthName.toLowerCase())
  const [d, h, m, s] = [Number(day), Number(hour), Number(minute), Number(second)]
  if (month < 0 || d < 1 || d > monthDays[month]! || h > 23 || m > 59 || s > 60) return NaN
  return daysBefore(year, month, d) * DAY_MS + ((h * 60 + m) * 60 + s) * 1000
}

// Days from 1970-01-01 in the Gregorian calendar, years that begin in March so that a leap day comes last.
function daysBefore(year: number, month: number, day: number): number {
  const y = month < 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}
