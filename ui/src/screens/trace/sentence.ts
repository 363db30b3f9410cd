/** The thread's sentence, taken apart where its words name something that can be shown. */
import { GAP, type Line, type Model, ORIGIN, has, nameOf, serviceOf } from './model';
import { NOTHING, guilty } from './choice';
import { gapRow } from './rows';

/** A stretch of the sentence, and the row that it is about. */
export interface Part {
  text: string;
  /** NOTHING when it is only words. */
  code: number;
}

/** What the thread was in for a while: pieces of the same kind in spans of the same operation. */
export interface Contributor {
  kind: number;
  nanos: number;
  /** The row that gave most. */
  code: number;
  /** How many pieces. */
  pieces: number;
}

/** What the thread went to, the most first. */
export function contributors(model: Model, line: Line): Contributor[] {
  const sums = new Map<string, Contributor & { most: number }>();
  for (let at = 0; at < line.count; at++) {
    const [span, kind, gap] = [line.spans[at]!, line.kinds[at]!, line.gaps[at]!];
    if (span < 0) continue;
    const nanos = line.to[at]! - line.from[at]!;
    // A hole is a finding of its own; other time is told by the operation.
    const key = gap >= 0 ? `gap ${gap}` : `${kind} ${model.services[span]} ${model.names[span]}`;
    let sum = sums.get(key);
    if (!sum) sums.set(key, (sum = { kind, nanos: 0, code: span, pieces: 0, most: -1 }));
    sum.nanos += nanos;
    sum.pieces++;
    if (nanos > sum.most) {
      sum.most = nanos;
      sum.code = gap >= 0 ? gapRow(gap) : span;
    }
  }
  return [...sums.values()].sort((a, b) => b.nanos - a.nanos);
}

/** The sentence in parts; together they are the sentence. */
export function partsOf(model: Model, grouped: boolean): Part[] {
  const { sentence, bottleneck, asyncTail } = model.skeleton.thread;
  const parts: Part[] = [];
  const words = (text: string) => text !== '' && parts.push({ text, code: NOTHING });
  clausesOf(sentence).forEach((clause, at) => {
    const lead = /^(?:(?:.*?: )?(?:<?\d+ % |all of it )|; work went on for .*?, most |, then (?:<?\d+ % )?|; error )/.exec(clause)?.[0] ?? '';
    const code = codeOf(clause, at);
    if (code === NOTHING || lead === '') return void words(clause);
    // The share belongs to what it is a share of.
    const share = /(?:<?\d+ % |all of it |error )$/.exec(lead)?.[0] ?? '';
    const end = /^(.*?)(: .*)?$/s.exec(clause.slice(lead.length))!;
    const isError = share === 'error ';
    words(lead.slice(0, lead.length - share.length));
    parts.push({ text: share + (isError ? end[1]! : clause.slice(lead.length)), code });
    if (isError) words(end[2] ?? '');
  });
  return parts;

  function codeOf(clause: string, at: number): number {
    if (at === 0) return bottleneck ? guilty(model, grouped) : NOTHING;
    if (clause.startsWith('; work went on')) return asyncTail?.bottleneck?.span ?? NOTHING;
    if (clause.startsWith('; error')) return originOf(model);
    const isGap = clause.includes(' unaccounted ');
    const named = contributors(model, model.thread).slice(0, 20).find(({ code, kind }) => {
      if ((kind === GAP) !== isGap) return false;
      const span = code >= 0 ? code : model.gaps[(-2 - code) / 2]!.span;
      return clause.includes(serviceOf(model, span)) && clause.includes(nameOf(model, span).slice(0, 12)) && code !== guilty(model, grouped);
    });
    return named?.code ?? NOTHING;
  }
}

/** The span in which the error began; of an older server's answer, the last that failed. */
function originOf(model: Model): number {
  const { failed } = model;
  for (const span of failed) if (has(model, span, ORIGIN)) return span;
  return failed.length > 0 ? failed[failed.length - 1]! : NOTHING;
}

/** Cuts a sentence where a clause begins, but not within the quotes of names. */
function clausesOf(sentence: string): string[] {
  const clauses: string[] = [];
  let quoted = false;
  let begin = 0;
  for (let at = 0; at < sentence.length; at++) {
    if (sentence[at] === '"') quoted = !quoted;
    if (quoted) continue;
    const begins = ['; work went on ', '; error in ', ', then '].some((words) => sentence.startsWith(words, at));
    if (!begins || at === 0) continue;
    clauses.push(sentence.slice(begin, at));
    begin = at;
  }
  clauses.push(sentence.slice(begin));
  return clauses;
}
