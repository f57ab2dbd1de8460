// What a cell's text says, as the training table was read: missing, a number, a moment, or text.
// What a column's record does not explain is refused, with what was expected; nothing is guessed.
"use strict";
const Reading = (() => {
  class Unreadable extends Error {}

  const known = new Map();
  const regex = (source) => {
    if (!known.has(source)) known.set(source, new RegExp(source, "u"));
    return known.get(source);
  };
  const whole = (source) => regex(`^(?:${source})$`);

  // Rules, one after another: the first match of a pattern is replaced; ${1} is its first group.
  const replaced = (text, rules) => rules.reduce((left, [pattern, made]) =>
    left.replace(regex(pattern), (...found) => made.replace(/\$\{(\d+)\}/g, (_, k) => found[k] ?? "")), text);

  // Without blanks and characters that nobody sees at its ends; null for a marker of missing values.
  function cleaned(text, { blanks, markers }) {
    const letters = [...text];
    let first = 0, last = letters.length;
    while (first < last && blanks.includes(letters[first])) first++;
    while (last > first && blanks.includes(letters[last - 1])) last--;
    const found = letters.slice(first, last).join("");
    return markers.has(found) ? null : found;
  }

  const plainly = (text, foreign) =>
    Object.entries(foreign).reduce((left, [from, to]) => left.replaceAll(from, to), text);

  // A number with something beside digits: cut into plain numbers, whose weighted sum it is.
  function measured(text, how) {
    const own = how.foreign ? plainly(text, how.foreign).trim() : text.trim();
    const parts = replaced(own, how.cut).split("|");
    if (parts.length !== how.weights.length) return null;
    let sum = 0;
    for (const [k, part] of parts.entries()) {
      const number = replaced(part, how.clean);
      if (!regex(how.number).test(number)) return null;
      const digits = how.group ? number.replace(new RegExp(how.group, "gu"), "") : number;
      sum += how.weights[k] * Number(how.comma ? digits.replace(",", ".") : digits);
    }
    return sum;
  }
  function plain(text, how) {
    if (!regex(how.number).test(text)) return null;
    if (/inf/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
    return Number(how.comma ? text.replaceAll(".", "").replace(",", ".") : text);
  }

  // The number of a cell; NaN where it is missing.
  function number(text, reading) {
    const own = cleaned(text, reading);
    if (own === null) return NaN;
    const found = reading.numbers.cut ? measured(own, reading.numbers) : plain(own, reading.numbers);
    if (found === null) throw new Unreadable(`expected ${reading.numbers.says}`);
    if (!Number.isFinite(found)) throw new Unreadable("expected finite numbers");
    return found;
  }

  // ---------------------------------------------------------------------------------- dates
  const DAY = 86400000;
  // Days since 1970 of a day of the calendar; NaN for one that no calendar has.
  function dayOf(year, month, day) {
    const moment = new Date(0);
    moment.setUTCFullYear(year, month - 1, day);
    const right = moment.getUTCFullYear() === year && moment.getUTCMonth() === month - 1 && moment.getUTCDate() === day;
    return right && year > 0 ? moment.getTime() / DAY : NaN;
  }
  function weekDay(year, week, weekday) {  // ISO 8601: week 1 has the year's first Thursday
    const fourth = dayOf(year, 1, 4), monday = fourth - ((fourth + 3) % 7 + 7) % 7;
    const found = monday + 7 * (week - 1) + weekday - 1, thursday = new Date((found - weekday + 4) * DAY);
    return week > 0 && thursday.getUTCFullYear() === year ? found : NaN;
  }
  const folded = (name) => name.toLowerCase().normalize("NFKD").replace(/\p{Mn}/gu, "").replace(/\.+$/, "");

  function milliseconds(parts, months) {
    const of = (name, otherwise = 0) => (parts[name] === undefined ? otherwise : Number(parts[name]));
    let year = of("year", of("short"));
    if (parts.short !== undefined) year += year < 70 ? 2000 : 1900;
    const month = parts.name === undefined ? of("month") : months[folded(parts.name)] || 0;
    const days = "week" in parts ? weekDay(year, of("week"), of("weekday", 1))
      : "quarter" in parts ? dayOf(year, 3 * of("quarter") - 2, 1) : dayOf(year, month, of("day", 1));
    let hour = of("hour");
    if (parts.half !== undefined) hour = (of("half") % 12) + (parts.noon.toLowerCase() === "pm" ? 12 : 0);
    const offset = 3600 * of("hours") + 60 * of("minutes");
    const seconds = 3600 * hour + 60 * of("minute") + of("second") + (parts.sign === "-" ? offset : -offset);
    return 1000 * (86400 * days + seconds) + Number((parts.fraction || "").slice(1, 4).padEnd(3, "0"));
  }

  // Days since 1970 of numbers that count days, or spell one.
  const spelled = (n) => dayOf(Math.floor(n / 10000), Math.floor(n / 100) % 100, n % 100);
  const COUNTED = {
    "seconds since 1970": (n) => n / 86400,
    "milliseconds since 1970": (n) => n / DAY,
    "days of Excel": (n) => n - 25569,
    YYYYMMDD: (n) => spelled(Math.trunc(n)),
    "MM.YYYY": (n) => {
      const month = Math.floor(n), part = (n - month) * 10000, year = Math.round(part);
      const certain = Math.abs(part - year) < 1e-6 && year >= 1900 && year < 2100;
      return certain ? spelled(year * 10000 + month * 100 + 1) : NaN;
    },
  };

  // The moment of a cell in days since 1970; NaN where it is missing. ISO dates are always read.
  function days(text, reading) {
    const own = cleaned(text, reading);
    if (own === null) return NaN;
    const { counts, forms, iso, months, says } = reading.dates;
    let found = NaN;
    for (const form of [...(counts ? [] : forms), iso]) {
      const match = whole(form).exec(own);
      if (match && Number.isNaN(found)) found = milliseconds(match.groups, months) / DAY;
    }
    if (Number.isNaN(found) && counts) found = COUNTED[counts](number(text, reading));
    if (Number.isNaN(found)) throw new Unreadable(`expected ${says}`);
    return found;
  }

  // --------------------------------------------------------------------------------- levels
  const PLAIN = /^[+-]?(0|[1-9]\d{0,14})(\.\d+)?([eE][+-]?\d{1,2})?$/;
  function shortest(text) {  // as Python writes it
    const value = Number(text);
    if (Number.isInteger(value)) return BigInt(value).toString();
    if (Math.abs(value) >= 1e-4) return String(value);
    return value.toExponential().replace(/e-(\d)$/, "e-0$1");
  }
  // The text of a cell; a number as training wrote it, where training learned numbers.
  function level(text, reading, levels) {
    const own = cleaned(text, reading);
    if (own === null || levels.has(own) || !levels.numbers || !PLAIN.test(own)) return own;
    const short = shortest(own);
    return levels.has(short) ? short : own;
  }
  // A set of levels that knows whether all of them are numbers.
  const levelsOf = (texts) =>
    Object.assign(new Set(texts), { numbers: texts.length > 0 && texts.every((text) => PLAIN.test(text)) });

  const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];

  return { Unreadable, cleaned, number, days, level, levelsOf, words };
})();
