import { duration, parseDuration } from '../../format/duration';

/** A condition, as a parameter of `/v1/traces/search` and its value. */
export interface Filter {
  param: string;
  value: string;
}

/** A field that can be filtered by, beside attributes. */
export interface Field {
  /** How it is written in the bar. */
  name: string;
  /** Its parameter; lengths have one for `>=` and one for `<=`. */
  param: string;
  atMost?: string;
  about: string;
  /** All its values, when there are few. */
  values?: readonly string[];
}

export const FIELDS: readonly Field[] = [
  { name: 'service', param: 'service', about: 'a span of this service' },
  { name: 'operation', param: 'operation', about: 'a span of this name' },
  { name: 'status', param: 'status', about: 'how a span ended', values: ['error', 'ok', 'unset'] },
  { name: 'duration', param: 'minDurationMs', atMost: 'maxDurationMs', about: 'length of the trace' },
  { name: 'span duration', param: 'minSpanDurationMs', atMost: 'maxSpanDurationMs', about: 'length of a span' },
  {
    name: 'kind',
    param: 'kind',
    about: 'role of a span',
    values: ['server', 'client', 'internal', 'producer', 'consumer', 'unspecified'],
  },
];

const ATTRIBUTE = 'attr.';
/** In the order in which chips are shown. */
const PARAMS = FIELDS.flatMap((field) => (field.atMost ? [field.param, field.atMost] : [field.param]));

/** The filters that the parameters of an address hold. */
export function filtersOf(params: URLSearchParams): Filter[] {
  const known = PARAMS.flatMap((param) => params.getAll(param).map((value) => ({ param, value })));
  const attributes = [...params].filter(([param]) => param.startsWith(ATTRIBUTE)).map(([param, value]) => ({ param, value }));
  return [...known, ...attributes];
}

/** The changes to an address that leave just these filters in it. */
export function paramsOf(filters: Filter[], before: URLSearchParams): Record<string, string[] | null> {
  const changes: Record<string, string[] | null> = {};
  for (const { param } of filtersOf(before)) changes[param] = null;
  for (const { param, value } of filters) (changes[param] ??= []).push(value);
  return changes;
}

/** The filters with one more; only services may be several, any other parameter is replaced. */
export function withFilter(filters: Filter[], added: Filter): Filter[] {
  const others = filters.filter((one) => one.param !== added.param || (added.param === 'service' && one.value !== added.value));
  return [...others, added];
}

/** How a filter reads. */
export function told({ param, value }: Filter): { name: string; operator: string; value: string } {
  if (param.startsWith(ATTRIBUTE)) return { name: param.slice(ATTRIBUTE.length), operator: '=', value };
  const field = FIELDS.find((one) => one.param === param || one.atMost === param);
  if (!field?.atMost) return { name: field?.name ?? param, operator: '=', value };
  const millis = Number(value);
  return {
    name: field.name,
    operator: param === field.param ? '\u2265' : '\u2264',
    value: Number.isFinite(millis) ? duration(millis * 1e6) : value,
  };
}

/** A filter as it is typed. */
export function written(filter: Filter): string {
  const { name, operator, value } = told(filter);
  const sign = { '\u2265': '>=', '\u2264': '<=' }[operator] ?? '=';
  const isAmbiguous = filter.param.startsWith(ATTRIBUTE) && FIELDS.some((field) => field.name === name);
  return `${isAmbiguous ? ATTRIBUTE : ''}${name}${sign}${value}`;
}

/** What is being typed: a word that is no filter yet, or a field with its operator and a value that may be unfinished. */
export type Draft =
  | { kind: 'word'; text: string }
  | { kind: 'value'; param: string; field: Field | null; key: string; operator: string; value: string };

/** Reads what is being typed. */
export function parseDraft(text: string): Draft {
  const found = /^\s*([^=<>]+?)\s*(>=|<=|>|<|=|\u2265|\u2264)\s*(.*?)\s*$/s.exec(text);
  if (!found) return { kind: 'word', text: text.trim() };
  const [key, operator, value] = [found[1]!, found[2]!, found[3]!];
  const field = FIELDS.find((one) => one.name === key.toLowerCase()) ?? null;
  if (!field) {
    const name = key.startsWith(ATTRIBUTE) ? key.slice(ATTRIBUTE.length) : key;
    return { kind: 'value', param: `${ATTRIBUTE}${name}`, field, key: name, operator, value };
  }
  const isAtMost = operator === '<' || operator === '<=' || operator === '\u2264';
  return { kind: 'value', param: isAtMost && field.atMost ? field.atMost : field.param, field, key: field.name, operator, value };
}

/** The filter that a draft stands for, or in words why it is none. */
export function completed(draft: Draft): Filter | string {
  if (draft.kind === 'word') return draft.text ? 'Write a field and a value, such as service=checkout.' : '';
  const { param, field, key, operator, value } = draft;
  if (value === '') return `${key} ${operator} what?`;
  if (field?.atMost) {
    if (operator === '=') return `${key} takes >= or <=.`;
    const nanos = parseDuration(value);
    if (nanos === null) return `"${value}" is no length of time: write 300ms or 1.5s.`;
    return { param, value: String(Number((nanos / 1e6).toFixed(6))) };
  }
  if (operator !== '=') return `${key} takes =.`;
  if (field?.values && !field.values.includes(value)) return `${key} is one of ${field.values.join(', ')}.`;
  return { param, value };
}
