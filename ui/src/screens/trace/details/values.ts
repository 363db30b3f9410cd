import type { Attribute } from '../../../api/shapes';
import { bytes } from '../../../format/count';

/** How much of a long text is shown before the reader asks for all of it. */
export const FOLD_CHARACTERS = 600;
const FOLD_LINES = 12;
/** Longer texts are not read as JSON: formatting one takes as long as a reader notices. */
const JSON_CHARACTERS_MAX = 2_000_000;
/** Longer values do not fit into an address, so no filter is offered for them. */
const FILTER_CHARACTERS_MAX = 1_000;

/** How a value is told. */
export interface Told {
  /** What is shown, all of it. */
  text: string;
  /** The value as it was sent, which is what is copied. */
  raw: string;
  /** Text, or something with a grammar that is set in mono. */
  look: 'text' | 'number' | 'bool' | 'json' | 'bytes' | 'empty';
  /** What a number means, when its key says so: `1.2 MiB`. */
  hint: string | null;
}

/** Tells an attribute's value. */
export function tell({ key, type, value }: Attribute): Told {
  if (value === null || value === undefined || type === 'empty') return { text: 'empty', raw: '', look: 'empty', hint: null };
  if (typeof value === 'object') {
    return { text: JSON.stringify(value, null, 2), raw: JSON.stringify(value), look: 'json', hint: null };
  }
  const raw = String(value);
  if (type === 'bool') return { text: raw, raw, look: 'bool', hint: null };
  if (type === 'int' || type === 'double') return { text: raw, raw, look: 'number', hint: unit(key, Number(value)) };
  if (type === 'bytes') return { text: raw, raw, look: 'bytes', hint: bytes(raw.length / 2) };
  if (raw === '') return { text: 'empty text', raw, look: 'empty', hint: null };
  const json = formatted(raw);
  return json === null ? { text: raw, raw, look: 'text', hint: null } : { text: json, raw, look: 'json', hint: null };
}

/** Text that is a JSON object or array, with line breaks; `null` for any other. */
export function formatted(text: string): string | null {
  const first = text.trimStart()[0];
  if ((first !== '{' && first !== '[') || text.length > JSON_CHARACTERS_MAX) return null;
  try {
    const value: unknown = JSON.parse(text);
    const long = JSON.stringify(value, null, 2);
    // What fits on a line reads best on one.
    return long.length <= 60 ? JSON.stringify(value) : long;
  } catch {
    return null;
  }
}

function unit(key: string, value: number): string | null {
  if (/(^|[._])(size|bytes|body\.length|content_length)$/.test(key) && value >= 1024) return bytes(value);
  return null;
}

/** The start of a long text, cut at a line where there is one; `null` when it is short enough to be shown whole. */
export function folded(text: string, wanted = ''): string | null {
  const lines = text.length <= FOLD_CHARACTERS ? text.split('\n') : null;
  if (lines && lines.length <= FOLD_LINES) return null;
  let end = Math.min(text.length, FOLD_CHARACTERS);
  for (let line = 0, at = 0; line < FOLD_LINES; line++) {
    at = text.indexOf('\n', at) + 1;
    if (at === 0 || at > end) break;
    if (line === FOLD_LINES - 1) end = at - 1;
  }
  // What was looked for is shown, wherever it stands.
  const hit = wanted ? text.toLowerCase().indexOf(wanted.toLowerCase()) : -1;
  if (hit >= end) {
    const from = Math.max(0, hit - 80);
    return `\u2026 ${whole(text.slice(from, from + FOLD_CHARACTERS))} \u2026`;
  }
  return `${whole(text.slice(0, end))} \u2026`;
}

/** A cut does not go through a character that takes two units. */
function whole(text: string): string {
  return text.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, '');
}

/** What the button under a folded text says: `show all 1.0 MB`. */
export function allOf(text: string): string {
  const size = text.length;
  if (size < 10_000) return `show all ${size.toLocaleString('en-US')} characters`;
  const [value, unit] = size < 999_500 ? [size / 1e3, 'kB'] : [size / 1e6, 'MB'];
  return `show all ${value.toFixed(value < 100 ? 1 : 0)} ${unit}`;
}

/** The search parameter that finds spans with this value; `null` when there is none. */
export function filterOf({ key, type, value }: Attribute): [name: string, value: string] | null {
  if (!['string', 'int', 'double', 'bool'].includes(type)) return null;
  const text = String(value);
  if (text.length > FILTER_CHARACTERS_MAX || key === '') return null;
  return key === 'service.name' ? ['service', text] : [`attr.${key}`, text];
}

/** Characters that leave no mark on paper, or turn the writing around: they are named, since they can make two texts look alike. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A text in pieces: those to be shown, and the code points of those that cannot be seen. */
export function pieces(text: string): (string | { unseen: string })[] {
  const found: (string | { unseen: string })[] = [];
  let from = 0;
  for (const hit of text.matchAll(UNSEEN)) {
    if (hit.index > from) found.push(text.slice(from, hit.index));
    found.push({ unseen: `U+${hit[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}` });
    from = hit.index + 1;
  }
  if (from < text.length) found.push(text.slice(from));
  return found;
}
