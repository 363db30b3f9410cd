import { count } from '../../../format/count';
import { duration } from '../../../format/duration';
import { paintOf } from '../../../draw/palette';
import { gapText, rowLabel, shownName, shownService } from '../labels';
import { FAILED, type Model, ORPHAN, has, serviceOf } from '../model';
import { type Rows, isParent, rowGap, rowGroup } from '../rows';

/** One row of the page, which shows one row of the trace after another. */
interface Slot {
  element: HTMLElement;
  cell: HTMLElement;
  guides: HTMLElement;
  chevron: HTMLElement;
  swatch: HTMLElement;
  badge: HTMLElement;
  badgeText: Text;
  name: Text;
  service: Text;
  length: Text;
  /** The row of the trace, -1 for none. */
  row: number;
  code: number;
}

/** What a grid shows. */
export interface Shown {
  model: Model;
  rows: Rows;
  collapsed: ReadonlySet<number>;
  openGroups: ReadonlySet<number>;
  /** Pixels of all rows above the view. */
  top: number;
  view: number;
  rowHeight: number;
  chosen: number;
  found: ReadonlySet<number>;
  /** Pixels that levels may take. */
  indentable: number;
}

/** Pixels that a level is indented by, at most. */
const STEP_PIXELS = 12;
/** The step where a trace is so deep that its names would leave the column. */
const STEP_PIXELS_MIN = 4;
/** Levels that are indented; deeper ones say how deep they are. */
const LEVELS_MAX = 24;
/** Rows beyond which places are counted anew, so that the layer they are painted on stays small. */
const REBASE_ROWS = 400;

/**
 * The rows of a waterfall: some sixty elements, used again and again. They are written by hand and not by a renderer, since
 * a scroll changes two of them and a frame has a few milliseconds.
 */
export class Grid {
  private slots: Slot[] = [];
  private base = 0;
  private drawn: Pick<Shown, 'model' | 'rows' | 'collapsed' | 'openGroups' | 'indentable'> | null = null;
  private shift = 0;
  private hovered = -1;

  constructor(
    private readonly grid: HTMLElement,
    private readonly prefix: string,
  ) {}

  /** Shows what is in view. */
  draw(shown: Shown): void {
    const { rows, top, view, rowHeight, chosen } = shown;
    const wanted = Math.ceil(view / rowHeight) + 1;
    this.resize(wanted);
    const first = Math.floor(top / rowHeight);
    if (Math.abs(first - this.base) > REBASE_ROWS) {
      this.base = first;
      this.drawn = null;
    }
    const shift = this.shiftOf(shown, first, wanted);
    const before = this.drawn;
    const same =
      before !== null && before.model === shown.model && before.rows === rows && before.collapsed === shown.collapsed &&
      before.openGroups === shown.openGroups && before.indentable === shown.indentable && shift === this.shift;
    this.drawn = shown;
    this.shift = shift;
    this.grid.style.transform = `translateY(${this.base * rowHeight - top}px)`;
    this.grid.ariaRowCount = String(rows.count);
    let active = '';
    for (let row = first; row < first + this.slots.length; row++) {
      const slot = this.slots[row % this.slots.length]!;
      if (row >= rows.count) {
        if (slot.row >= 0) slot.element.hidden = true;
        slot.row = -1;
        continue;
      }
      const code = rows.codes[row]!;
      if (!same || slot.row !== row) this.write(slot, shown, row, code);
      const isChosen = code === chosen;
      if (isChosen) active = slot.element.id;
      mark(slot.element, 'chosen', isChosen);
      if (slot.element.ariaSelected !== String(isChosen)) slot.element.ariaSelected = String(isChosen);
      mark(slot.element, 'hover', code >= 0 && code === this.hovered);
      mark(slot.element, 'match', code >= 0 && shown.found.has(code));
    }
    if (active) this.grid.setAttribute('aria-activedescendant', active);
    else this.grid.removeAttribute('aria-activedescendant');
  }

  /** Marks the row of the span that is pointed at, here or in another view; nothing else is drawn anew. */
  hover(span: number): void {
    this.hovered = span;
    for (const slot of this.slots) mark(slot.element, 'hover', slot.row >= 0 && slot.code >= 0 && slot.code === span);
  }

  private resize(wanted: number): void {
    if (this.slots.length === wanted) return;
    while (this.slots.length < wanted) {
      const slot = makeSlot(`${this.prefix}${this.slots.length}`);
      this.slots.push(slot);
      this.grid.append(slot.element);
    }
    for (const slot of this.slots.splice(wanted)) slot.element.remove();
    this.drawn = null;
  }

  /** Levels that all rows in view have in common, which need no room. */
  private shiftOf({ rows }: Shown, first: number, wanted: number): number {
    let [least, most] = [Infinity, 0];
    for (let row = first; row < Math.min(first + wanted, rows.count); row++) {
      least = Math.min(least, rows.levels[row]!);
      most = Math.max(most, rows.levels[row]!);
    }
    if (most <= LEVELS_MAX) return 0;
    // In steps, so that names do not move at every row.
    return Math.max(0, Math.floor((least - 1) / 8) * 8);
  }

  private write(slot: Slot, shown: Shown, row: number, code: number): void {
    const { model, rows, rowHeight } = shown;
    const { element } = slot;
    slot.row = row;
    slot.code = code;
    element.hidden = false;
    // Not a transform: sixty of them are sixty layers to a browser.
    element.style.top = `${(row - this.base) * rowHeight}px`;
    element.ariaRowIndex = String(row + 1);
    element.ariaLevel = String(rows.levels[row]! + 1);
    element.ariaPosInSet = String(rows.ordinals[row]);
    element.ariaSetSize = String(rows.childCounts[rows.parents[row]! + 1]);
    element.ariaLabel = rowLabel(model, code);
    const parent = isParent(model, code);
    const open = parent && (code >= 0 ? !shown.collapsed.has(code) : shown.openGroups.has(rowGroup(code)));
    if (parent) element.ariaExpanded = String(open);
    else element.removeAttribute('aria-expanded');
    put(slot.chevron, 'className', `chevron${parent ? (open ? ' open' : ' closed') : ''}`);
    const level = Math.max(0, rows.levels[row]! - this.shift);
    const step = Math.max(STEP_PIXELS_MIN, Math.min(STEP_PIXELS, shown.indentable / Math.min(Math.max(model.maxDepth, 1), LEVELS_MAX)));
    const indent = Math.min(level, LEVELS_MAX) * step;
    slot.cell.style.paddingLeft = `${indent + 4}px`;
    slot.guides.style.width = `${indent}px`;
    slot.guides.style.backgroundSize = `${step}px 100%`;
    const span = code >= 0 ? code : rowGroup(code) >= 0 ? (model.groups[rowGroup(code)]!.spans[0] ?? -1) : -1;
    put(slot.swatch, 'className', swatchClass(model, span));
    put(slot.name, 'data', code >= 0 ? shownName(model, code) : rowGap(code) >= 0 ? gapText(model, model.gaps[rowGap(code)]!) : shownName(model, span));
    put(slot.service, 'data', span >= 0 && isNewService(model, rows, row, span) ? shownService(model, span) : '');
    writeBadge(slot, model, code, rows.levels[row]!);
    put(slot.length, 'data', lengthOf(model, code));
    mark(element, 'gap', rowGap(code) >= 0);
    mark(element, 'group', rowGroup(code) >= 0);
    mark(element, 'failed', code >= 0 && has(model, code, FAILED));
  }
}

function makeSlot(id: string): Slot {
  const part = (name: string) => {
    const made = document.createElement('span');
    made.className = name;
    return made;
  };
  const element = document.createElement('div');
  element.setAttribute('role', 'row');
  element.className = 'row';
  element.id = id;
  element.hidden = true;
  const cell = document.createElement('div');
  cell.setAttribute('role', 'gridcell');
  cell.className = 'cell';
  const [guides, chevron, swatch, badge] = [part('guides'), part('chevron'), part('swatch'), part('badge')];
  const [name, service, length] = [part('op foreign'), part('service foreign'), part('length mono')];
  // The service comes first, as in the sentence: a long operation is what may be cut.
  cell.append(guides, chevron, swatch, badge, service, name, length);
  element.append(cell);
  const text = (of: HTMLElement) => of.appendChild(document.createTextNode(''));
  return {
    element, cell, guides, chevron, swatch, badge, row: -1, code: 0,
    badgeText: text(badge), name: text(name), service: text(service), length: text(length),
  };
}

/** Writes what has changed: a browser that is told the same again works again. */
function put<K extends string>(on: Record<K, string>, name: K, value: string): void {
  if (on[name] !== value) on[name] = value;
}

/** A service is named where it changes: beside every row it would say the same sixty times. */
function isNewService(model: Model, rows: Rows, row: number, span: number): boolean {
  const parentRow = rows.parents[row]!;
  const above = parentRow < 0 ? -1 : rows.codes[parentRow]!;
  const parent = above >= 0 ? above : rowGroup(above) >= 0 && parentRow >= 0 ? (model.groups[rowGroup(above)]!.spans[0] ?? -1) : -1;
  return parent < 0 || model.services[parent] !== model.services[span];
}

function swatchClass(model: Model, span: number): string {
  if (span < 0) return 'swatch none';
  const { colour, striped } = paintOf(serviceOf(model, span));
  return `swatch service-${colour}${striped ? ' striped' : ''}`;
}

function writeBadge({ badge, badgeText }: Slot, model: Model, code: number, level: number): void {
  const group = rowGroup(code);
  let [text, name] = ['', 'badge'];
  if (group >= 0) {
    const { count: members, kind } = model.groups[group]!;
    const isNPlusOne = kind === 'n_plus_one';
    text = `${count(members)}\u00d7${isNPlusOne ? ' N+1' : ''}`;
    if (isNPlusOne) name = 'badge n-plus-one';
  } else if (code >= 0 && has(model, code, ORPHAN)) text = 'parent missing';
  else if (level > LEVELS_MAX) text = `level ${count(level)}`;
  put(badge, 'className', name);
  put(badgeText, 'data', text);
}

function lengthOf(model: Model, code: number): string {
  const group = rowGroup(code);
  if (group >= 0) return duration(model.groups[group]!.totalNanos);
  const gap = rowGap(code);
  if (gap >= 0) return duration(model.gaps[gap]!.to - model.gaps[gap]!.from);
  return duration(model.durations[code]!);
}

function mark(element: HTMLElement, name: string, is: boolean): void {
  if (element.classList.contains(name) !== is) element.classList.toggle(name, is);
}
