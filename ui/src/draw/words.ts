const ELLIPSIS = '\u2026';
/** Words of a font that are remembered; a screen shows some hundred. */
const KEPT_MAX = 1_000;

/** How much of the room the end of a path may take where its middle is left out. */
const TAIL_SHARE_MAX = 0.9;

/** What is shown of words. */
export interface Cut {
  shown: string;
  /** How many code units of their beginning and of their end are in it; all of them are the beginning of words that are whole. */
  head: number;
  tail: number;
}

/** What a canvas must have to measure. */
export type Measuring = Pick<CanvasRenderingContext2D, 'font' | 'measureText'>;

/**
 * The letters of a font. To measure words costs a canvas as much as to draw them, so widths are kept; even to ask it for
 * the font that is set does, so who draws words says in which.
 */
export class Letters {
  private readonly widths = new Map<string, number>();
  private readonly cuts = new Map<string, { room: number; cut: Cut }>();
  private readonly baselines = new Map<number, number>();

  /** A font as the style sheet writes it: `11px system-ui`. */
  constructor(readonly font: string) {}

  /** Pixels that words take. The context must have this font, here and below. */
  widthOf(context: Measuring, words: string): number {
    return kept(this.widths, words, () => context.measureText(words).width);
  }

  /**
   * Words that take at most so many pixels: whole where they do, else as many letters as there is room for. What may be a
   * path loses its middle: calls of one service, or of one address, differ in their ends.
   */
  cutTo(context: Measuring, words: string, room: number, mayBePath = true): Cut {
    if (this.widthOf(context, words) <= room) return { shown: words, head: words.length, tail: 0 };
    const known = this.cuts.get(words);
    if (known?.room === room) return known.cut;
    this.cuts.delete(words);
    return kept(this.cuts, words, () => ({ room, cut: cut(context, words, room, mayBePath) })).cut;
  }

  /** Where letters stand in a line of that height, from its top: as a browser places them, at whole pixels. */
  baselineIn(context: Measuring, lineHeight: number): number {
    return kept(this.baselines, lineHeight, () => {
      const { fontBoundingBoxAscent, fontBoundingBoxDescent } = context.measureText('x');
      const [above, below] = [Math.round(fontBoundingBoxAscent), Math.round(fontBoundingBoxDescent)];
      return Math.floor((lineHeight - above - below) / 2) + above;
    });
  }
}

const known = new Map<string, Letters>();

/** The letters of a font, the same each time. There are as many as the style sheet has fonts. */
export function lettersOf(font: string): Letters {
  return kept(known, font, () => new Letters(font));
}

function kept<K, V>(all: Map<K, V>, key: K, make: () => V): V {
  let value = all.get(key);
  if (value === undefined) {
    if (all.size >= KEPT_MAX) all.clear();
    all.set(key, (value = make()));
  }
  return value;
}

function cut(context: Measuring, words: string, room: number, mayBePath: boolean): Cut {
  const end = mayBePath ? words.slice(tailFrom(words)) : '';
  const tail = end !== '' && context.measureText(ELLIPSIS + end).width <= room * TAIL_SHARE_MAX ? end : '';
  let [low, high] = [0, words.length - tail.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(words.slice(0, middle) + ELLIPSIS + tail).width <= room) low = middle;
    else high = middle - 1;
  }
  // A letter of two code units is left out whole.
  const head = /[\ud800-\udbff]/.test(words.charAt(low - 1)) ? low - 1 : low;
  return { shown: words.slice(0, head) + ELLIPSIS + tail, head, tail: tail.length };
}

/** Where the last part of a path begins, with its slash; where the words end, if they are no path. */
function tailFrom(words: string): number {
  const slash = words.lastIndexOf('/');
  return slash > 0 && slash < words.length - 1 ? slash : words.length;
}
