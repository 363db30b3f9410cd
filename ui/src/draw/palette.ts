import { theme } from '../settings';

/** Services beyond these share colours and are told apart by a stripe. */
export const SERVICE_COLOURS = 10;

/** How a service is painted, the same on every screen and in every trace. */
export interface Paint {
  /** Position in the palette. */
  colour: number;
  /** Whether a stripe runs through the colour. */
  striped: boolean;
}

const paints = new Map<string, Paint>();

/** The paint of a service, from its name alone: no order of appearance can change it. */
export function paintOf(service: string): Paint {
  let paint = paints.get(service);
  if (!paint) {
    // FNV-1a, 32 bits.
    let hash = 0x811c9dc5;
    for (let at = 0; at < service.length; at++) hash = Math.imul(hash ^ service.charCodeAt(at), 0x01000193) >>> 0;
    hash = (hash ^ (hash >>> 15)) >>> 0;
    paint = { colour: hash % SERVICE_COLOURS, striped: Math.floor(hash / SERVICE_COLOURS) % 2 === 1 };
    paints.set(service, paint);
  }
  return paint;
}

/** The tokens that a canvas needs, read from the style sheet, which is the one place that knows colours. */
export interface Palette {
  bg: string;
  raised: string;
  sunken: string;
  line: string;
  lineStrong: string;
  text: string;
  muted: string;
  thread: string;
  threadText: string;
  threadWash: string;
  error: string;
  select: string;
  hover: string;
  focus: string;
  barText: string;
  font: string;
  mono: string;
  services: string[];
}

/** Colours that the system forces upon a page; the style sheet gives tokens of their names then. */
const forced = matchMedia('(forced-colors: active)');

let known: { theme: string; palette: Palette } | null = null;

/** The palette of the present theme. Reading it inside an effect follows the theme. */
export function palette(): Palette {
  const name = `${theme.value}${forced.matches}`;
  if (known?.theme !== name) known = { theme: name, palette: read() };
  return known.palette;
}

function read(): Palette {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    bg: token('bg'),
    raised: token('raised'),
    sunken: token('sunken'),
    line: token('line'),
    lineStrong: token('line-strong'),
    text: token('text'),
    muted: token('muted'),
    thread: token('thread'),
    threadText: token('thread-text'),
    threadWash: token('thread-wash'),
    error: token('error'),
    select: token('select'),
    hover: token('hover'),
    focus: token('focus'),
    barText: token('bar-text'),
    font: token('font'),
    mono: token('mono'),
    services: Array.from({ length: SERVICE_COLOURS }, (_, at) => token(`service-${at}`)),
  };
}
