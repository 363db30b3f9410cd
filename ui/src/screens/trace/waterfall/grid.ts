import type { Name } from '../../../draw/names';
import { rowLabel } from '../labels';
import type { Model } from '../model';
import { type Folding, type Rows, isOpen, isParent } from '../rows';

/** What a grid says. */
export interface Said extends Pick<Folding, 'collapsed' | 'openGroups'> {
  model: Model;
  rows: Rows;
  /** Pixels of all rows above the view. */
  top: number;
  view: number;
  rowHeight: number;
  chosen: number;
  /** How wide the column of names is. */
  column: number;
  /** The names of the rows in view, as they are painted. */
  place(): Map<number, Name[]>;
}

/** A row in view. */
interface Slot {
  element: HTMLElement;
  cell: HTMLElement;
  /** What is written in it. */
  text: string;
}

/** How long rows must have stood still to be written. */
const REST_MS = 100;

/**
 * The rows in view as elements. What is seen of them a canvas paints (draw/names.ts), and this is its twin: for those who
 * listen, for keys, for tests, and for marking names with the pointer, for which each letter lies on the one that is painted.
 * While the reader scrolls it waits, since a browser takes longer for the elements of a row than the canvas for all that is
 * seen of it; whatever else changes is said at once.
 */
export class Grid {
  private readonly slots: Slot[] = [];
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
      // What is marked would stay behind.
      if (this.resting === undefined) this.unmark();
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.write(wanted), REST_MS);
    }
  }

  /** Whether some of its text is marked. */
  isMarked(): boolean {
    const marked = getSelection();
    return marked !== null && !marked.isCollapsed && this.grid.contains(marked.anchorNode);
  }

  /** Takes the mark away, if it is on this text. */
  unmark(): void {
    if (this.isMarked()) getSelection()!.removeAllRanges();
  }

  /** Says nothing more. */
  stop(): void {
    clearTimeout(this.resting);
  }

  private write(wanted: Said): void {
    const { rows, top, view, rowHeight, chosen } = wanted;
    clearTimeout(this.resting);
    this.resting = undefined;
    this.said = wanted;
    const first = Math.floor(top / rowHeight);
    const count = Math.max(0, Math.min(Math.ceil(view / rowHeight) + 1, rows.count - first));
    while (this.slots.length < count) this.slots.push(addSlot(this.grid, `${this.prefix}${this.slots.length}`));
    for (const { element } of this.slots.splice(count)) element.remove();
    put(this.grid, 'ariaRowCount', String(rows.count));
    let active: string | null = null;
    const placed = wanted.place();
    for (const [at, slot] of this.slots.entries()) {
      const { element } = slot;
      const row = first + at;
      const code = rows.codes[row]!;
      put(element.style, 'transform', `translateY(${Math.round(row * rowHeight - top)}px)`);
      writeRow(element, wanted, row, code);
      writeNames(slot, placed.get(row) ?? []);
      if (code === chosen) active = element.id;
    }
    if (active === null) this.grid.removeAttribute('aria-activedescendant');
    else this.grid.setAttribute('aria-activedescendant', active);
  }
}

/** The names of a row: whole, so that they are copied whole, with what there is no room for in no room. */
function writeNames(slot: Slot, names: readonly Name[]): void {
  const text = JSON.stringify(names);
  if (slot.text === text) return;
  slot.text = text;
  put(slot.cell.style, 'paddingLeft', `${names[0]?.x ?? 0}px`);
  slot.cell.replaceChildren(...names.flatMap((name, at) => (at > 0 ? [spanOf('between', ' '), wordOf(name)] : [wordOf(name)])));
}

function wordOf({ whole, look, head, tail }: Name): HTMLElement {
  if (head === whole.length) return spanOf(look, whole);
  const word = spanOf(look, whole.slice(0, head));
  word.append(spanOf('cut', whole.slice(head, whole.length - tail)), whole.slice(whole.length - tail));
  return word;
}

function spanOf(className: string, text: string): HTMLElement {
  const span = document.createElement('span');
  span.className = className;
  span.textContent = text;
  return span;
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
    before.chosen === now.chosen && before.view === now.view && before.rowHeight === now.rowHeight && before.column === now.column
  );
}

function addSlot(grid: HTMLElement, id: string): Slot {
  const element = document.createElement('div');
  element.setAttribute('role', 'row');
  element.className = 'row';
  element.id = id;
  const cell = document.createElement('div');
  cell.setAttribute('role', 'gridcell');
  element.append(cell);
  grid.append(element);
  return { element, cell, text: '' };
}

/** Writes what has changed: a browser that is told the same again works again. */
function put<K extends string, V extends string | null>(on: Record<K, V>, name: K, value: V): void {
  if (on[name] !== value) on[name] = value;
}
