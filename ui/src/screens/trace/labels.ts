/** What rows are called: on the screen, and by those who read it aloud. */
import { count } from '../../format/count';
import { duration } from '../../format/duration';
import { NOTHING } from './choice';
import { ASYNC, FAILED, type Hole, type Model, ON_THREAD, ORIGIN, ORPHAN, has, nameOf, serviceOf } from './model';
import { rowGap, rowGroup } from './rows';
import { LEVELS_MAX } from './waterfall/indent';

/** What a sender left nameless. */
const NAMELESS = '(no name)';
/** Longer names are cut on the screen; the details have them whole. */
const NAME_CHARS = 300;

/** A span's operation as it is shown. */
export function shownName(model: Model, span: number): string {
  const name = nameOf(model, span);
  if (name.trim() === '') return NAMELESS;
  return name.length > NAME_CHARS ? `${name.slice(0, NAME_CHARS)}\u2026` : name;
}

/** A span's service as it is shown. */
export function shownService(model: Model, span: number): string {
  const service = serviceOf(model, span);
  return service.length > NAME_CHARS ? `${service.slice(0, NAME_CHARS)}\u2026` : service;
}

/** What a row is called, whole as its sender has it; empty for no row. */
export function wholeName(model: Model, code: number): string {
  if (code === NOTHING) return '';
  const [group, gap] = [rowGroup(code), rowGap(code)];
  if (gap >= 0) return gapText(model, model.gaps[gap]!);
  return group >= 0 ? model.groups[group]!.name : nameOf(model, code);
}

/** `94.7 ms unaccounted between A and B`. */
export function gapText(model: Model, gap: Hole): string {
  const { before, after } = gap;
  const name = (span: number) => shownName(model, span);
  const place =
    before >= 0 && after >= 0 ? ` between ${name(before)} and ${name(after)}` : before >= 0 ? ` after ${name(before)}` : after >= 0 ? ` before ${name(after)}` : '';
  return `${duration(gap.to - gap.from)} unaccounted${place}`;
}

/** A row, read aloud: `SELECT orders, payments, 412 ms, starts at 20 ms, on the thread, error`. */
export function rowLabel(model: Model, code: number): string {
  const group = rowGroup(code);
  if (group >= 0) {
    const { name, service, count: members, totalNanos, kind } = model.groups[group]!;
    return `${count(members)} times ${name}, ${service}, ${duration(totalNanos)} in all${kind === 'n_plus_one' ? ', one query per item (N+1)' : ''}`;
  }
  const gap = rowGap(code);
  if (gap >= 0) return `${gapText(model, model.gaps[gap]!)}, starts at ${duration(model.gaps[gap]!.from)}`;
  const said = [shownName(model, code), shownService(model, code), duration(model.durations[code]!), `starts at ${duration(model.starts[code]!)}`];
  if (has(model, code, ON_THREAD)) said.push('on the thread');
  if (has(model, code, ASYNC)) said.push('not waited for');
  if (has(model, code, ORPHAN)) said.push('its parent is not here');
  if (has(model, code, FAILED)) said.push(has(model, code, ORIGIN) ? 'error began here' : 'error');
  return said.join(', ');
}

/** What is said in a frame before a row's name, and whether it warns. */
export interface Badge {
  words: string;
  warns: boolean;
}

/** The badge of a row: how many it stands for, that its parent is missing, how deep it is where indents end. */
export function badgeOf(model: Model, code: number, level: number): Badge | null {
  const group = rowGroup(code);
  if (group >= 0) {
    const { count: members, kind } = model.groups[group]!;
    const warns = kind === 'n_plus_one';
    return { words: `${count(members)}\u00d7${warns ? ' N+1' : ''}`, warns };
  }
  if (code >= 0 && has(model, code, ORPHAN)) return { words: 'parent missing', warns: false };
  return level > LEVELS_MAX ? { words: `level ${count(level)}`, warns: false } : null;
}

/** How long a row took, in all. */
export function lengthOf(model: Model, code: number): string {
  const [group, gap] = [rowGroup(code), rowGap(code)];
  if (group >= 0) return duration(model.groups[group]!.totalNanos);
  if (gap >= 0) return duration(model.gaps[gap]!.to - model.gaps[gap]!.from);
  return duration(model.durations[code]!);
}
