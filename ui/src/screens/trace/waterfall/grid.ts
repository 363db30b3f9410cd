import { gapText, rowLabel, shownName, shownService } from '../labels';
import type { Model } from '../model';
import { type Folding, type Rows, isOpen, isParent, rowGap, shownSpan } from '../rows';

/** What a grid says. */
export interface Said extends Pick<Folding, 'collapsed' | 'openGroups'> {
  model: Model;
  rows: Rows;
  /** Pixels of all rows above the view. */
  top: number;
  view: number;
  rowHeight: number;
  chosen: number;
}

/** How long rows must have stood still to be written. */
const REST_MS = 100;

/**
 * The rows in view as elements, which nobody sees: a canvas paints them (draw/names.ts), and this is its twin for those who
 * listen, for keys and for tests. While the reader scrolls it waits, since a browser takes longer for the elements of a row
 * than the canvas for all that is seen of it; whatever else changes is said at once.
 */
export class Grid {
  private readonly slots: { element: HTMLElement; cell: HTMLElement }[] = [];
  private said: Said | null = null;
  private wanted: Said | null = null;
  private resting: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly grid: HTMLElement,
    private readonly prefix: string,
  ) {}

  /** Says what is in view now, or as soon as it rests. */
  show(wanted: Said): void {
    const moved = this.wanted?.top !== wanted.top;
    this.wanted = wanted;
    if (!this.said || !isSame(this.said, wanted)) this.write(wanted);
    else if (moved) {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.write(wanted), REST_MS);
    }
  }

  /** Says nothing more. */
  stop(): void {
    clearTimeout(this.resting);
  }

  private write(wanted: Said): void {
    const { rows, top, view, rowHeight, chosen } = wanted;
    clearTimeout(this.resting);
    this.said = wanted;
    const first = Math.floor(top / rowHeight);
    const count = Math.max(0, Math.min(Math.ceil(view / rowHeight) + 1, rows.count - first));
    while (this.slots.length < count) this.slots.push(addSlot(this.grid, `${this.prefix}${this.slots.length}`));
    for (const { element } of this.slots.splice(count)) element.remove();
    put(this.grid, 'ariaRowCount', String(rows.count));
    let active: string | null = null;
    for (const [at, { element, cell }] of this.slots.entries()) {
      const row = first + at;
      const code = rows.codes[row]!;
      put(element.style, 'transform', `translateY(${row * rowHeight - top}px)`);
      writeRow(element, wanted, row, code);
      put(cell, 'textContent', wordsOf(wanted.model, code));
      if (code === chosen) active = element.id;
    }
    if (active === null) this.grid.removeAttribute('aria-activedescendant');
    else this.grid.setAttribute('aria-activedescendant', active);
  }
}

/** The words that the canvas has in a row. */
function wordsOf(model: Model, code: number): string {
  const span = shownSpan(model, code);
  return span >= 0 ? `${shownService(model, span)} ${shownName(model, span)}` : gapText(model, model.gaps[rowGap(code)]!);
}

function writeRow(element: HTMLElement, { model, rows, chosen, ...folding }: Said, row: number, code: number): void {
  put(element, 'ariaRowIndex', String(row + 1));
  put(element, 'ariaLevel', String(rows.levels[row]! + 1));
  put(element, 'ariaPosInSet', String(rows.ordinals[row]));
  put(element, 'ariaSetSize', String(rows.childCounts[rows.parents[row]! + 1]));
  put(element, 'ariaLabel', rowLabel(model, code));
  put(element, 'ariaExpanded', isParent(model, code) ? String(isOpen(folding, code)) : null);
  put(element, 'ariaSelected', String(code === chosen));
}

function isSame(before: Said, now: Said): boolean {
  return (
    before.model === now.model && before.rows === now.rows && before.collapsed === now.collapsed && before.openGroups === now.openGroups &&
    before.chosen === now.chosen && before.view === now.view && before.rowHeight === now.rowHeight
  );
}

function addSlot(grid: HTMLElement, id: string): { element: HTMLElement; cell: HTMLElement } {
  const element = document.createElement('div');
  element.setAttribute('role', 'row');
  element.className = 'row';
  element.id = id;
  const cell = document.createElement('div');
  cell.setAttribute('role', 'gridcell');
  element.append(cell);
  grid.append(element);
  return { element, cell };
}

/** Writes what has changed: a browser that is told the same again works again. */
function put<K extends string, V extends string | null>(on: Record<K, V>, name: K, value: V): void {
  if (on[name] !== value) on[name] = value;
}
