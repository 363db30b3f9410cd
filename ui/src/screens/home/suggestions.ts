import type { AttributesAnswer, ValuesAnswer } from '../../api/shapes';
import { withTenant } from '../../api/answer';
import { ask } from '../../api/client';
import { count } from '../../format/count';
import { completed, type Draft, FIELDS, type Filter, parseDraft, told } from './filters';
import { traceIn } from './trace-id';

/** What the bar offers: a text to go on with, a filter, or a trace to go to. */
export interface Suggestion {
  key: string;
  /** Before the label, quieter: the field of a value. */
  lead?: string;
  label: string;
  about: string;
  then:
    | { kind: 'text'; text: string }
    | { kind: 'filter'; filter: Filter }
    | { kind: 'trace'; traceId: string; spanId: string | null };
}

const MOST = 50;

/** What could be meant by what is typed, given the filters that are set. */
export async function suggest(text: string, filters: Filter[], signal: AbortSignal): Promise<Suggestion[]> {
  const trace = traceIn(text);
  if (trace) return [{ key: 'trace', label: trace.traceId, about: 'open this trace', then: { kind: 'trace', ...trace } }];
  const draft = parseDraft(text);
  const service = filters.find((one) => one.param === 'service')?.value ?? null;
  return draft.kind === 'word' ? words(draft.text, service, signal) : values(draft, service, signal);
}

async function words(text: string, service: string | null, signal: AbortSignal): Promise<Suggestion[]> {
  const wanted = text.toLowerCase();
  const fields = FIELDS.filter((field) => field.name.includes(wanted)).flatMap((field) => {
    const operators = field.atMost ? ['>=', '<='] : ['='];
    return operators.map((operator): Suggestion => {
      const sign = { '>=': ' \u2265', '<=': ' \u2264' }[operator] ?? '';
      return {
        key: `${field.name}${operator}`,
        label: `${field.name}${sign}`,
        about: field.about,
        then: { kind: 'text', text: `${field.name}${operator}` },
      };
    });
  });
  // Fields are offered also where the server can not say more.
  const none = () => [];
  const [services, attributes] = await Promise.all([
    wanted ? serviceNames().catch(none) : [],
    attributeKeys(text, service, signal).catch(none),
  ]);
  const named = matching(services, wanted)
    .slice(0, 8)
    .map((name) => filterOf({ param: 'service', value: name }, 'service'));
  return [...fields, ...named, ...attributes];
}

async function attributeKeys(prefix: string, service: string | null, signal: AbortSignal): Promise<Suggestion[]> {
  const params = new URLSearchParams({ limit: String(MOST), ...(prefix && { prefix }), ...(service && { service }) });
  const answer = await ask<AttributesAnswer>('v1/attributes', withTenant(params), { signal });
  return answer.attributes.map(({ key, scopes, spanCount }) => {
    const isAmbiguous = FIELDS.some((field) => field.name === key) || /[=<>]/.test(key);
    const about = `${scopes.join(', ')} attribute, ${atLeast(spanCount, answer.sampled)} spans`;
    return { key: `attr ${key}`, label: key, about, then: { kind: 'text', text: `${isAmbiguous ? 'attr.' : ''}${key}=` } };
  });
}

async function values(draft: Draft & { kind: 'value' }, service: string | null, signal: AbortSignal): Promise<Suggestion[]> {
  const filter = completed(draft);
  const typed = typeof filter === 'string' ? [] : [{ ...filterOf(filter, draft.key), about: 'as typed' }];
  const offered = await offers(draft, service, signal);
  const isOffered = offered.some(
    (one) => one.then.kind === 'filter' && typeof filter !== 'string' && one.then.filter.value === filter.value,
  );
  if (isOffered) return offered;
  // Of a few known values the nearest is meant; an attribute may have any value.
  return draft.field && !draft.field.atMost ? [...offered, ...typed] : [...typed, ...offered];
}

async function offers(draft: Draft & { kind: 'value' }, service: string | null, signal: AbortSignal): Promise<Suggestion[]> {
  const { field, param, key, value } = draft;
  const some = (names: readonly string[], about = '') =>
    matching(names, value.toLowerCase())
      .slice(0, MOST)
      .map((one) => ({ ...filterOf({ param, value: one }, key), about }));
  if (field?.values) return some(field.values);
  if (field?.atMost)
    return value === '' ? ['10', '100', '300', '1000', '3000'].map((millis) => filterOf({ param, value: millis }, key)) : [];
  if (field?.name === 'service') return some(await serviceNames());
  if (field) return operations(value, service, param);
  const params = new URLSearchParams({ key, limit: String(MOST), ...(value && { prefix: value }), ...(service && { service }) });
  const answer = await ask<ValuesAnswer>('v1/attributes/values', withTenant(params), { signal });
  return answer.values.map((one) => ({
    ...filterOf({ param, value: one.value }, key),
    about: `${atLeast(one.spanCount, answer.sampled)} spans`,
  }));
}

/** The operations of the chosen service; without one, of every service, with its name. */
async function operations(value: string, service: string | null, param: string): Promise<Suggestion[]> {
  const services = service === null ? (await serviceNames()).slice(0, 40) : [service];
  const lists = await Promise.all(services.map((one) => operationNames(one)));
  const owners = new Map<string, string[]>();
  lists.forEach((names, at) => {
    for (const name of names) owners.set(name, [...(owners.get(name) ?? []), services[at]!]);
  });
  return matching([...owners.keys()].sort(), value.toLowerCase())
    .slice(0, MOST)
    .map((name) => {
      const of = owners.get(name)!;
      return { ...filterOf({ param, value: name }, 'operation'), about: of.length > 2 ? `${of.length} services` : of.join(', ') };
    });
}

const answers = new Map<string, { at: number; names: Promise<string[]> }>();

/** Names that change seldom are asked for at most every ten seconds; a question that failed is asked again. */
function names(path: string, read: (answer: never) => string[]): Promise<string[]> {
  const params = withTenant();
  const key = `${path}?${params}`;
  const known = answers.get(key);
  if (known && performance.now() - known.at < 10_000) return known.names;
  const asked = ask<never>(path, params).then(read);
  answers.set(key, { at: performance.now(), names: asked });
  asked.catch(() => answers.delete(key));
  return asked;
}

function serviceNames(): Promise<string[]> {
  return names('v1/services', (answer: { services: string[] }) => answer.services);
}

function operationNames(service: string): Promise<string[]> {
  return names(`v1/services/${encodeURIComponent(service)}/operations`, (answer: { operations: string[] }) => answer.operations);
}

/** What contains the text, what begins with it first. */
export function matching(all: readonly string[], wanted: string): string[] {
  const found = all.filter((one) => one.toLowerCase().includes(wanted));
  const begins = (one: string) => (one.toLowerCase().startsWith(wanted) ? 0 : 1);
  return found.sort((a, b) => begins(a) - begins(b));
}

function filterOf(filter: Filter, lead: string): Suggestion {
  const { operator, value } = told(filter);
  return {
    key: `${filter.param}=${filter.value}`,
    lead: `${lead} ${operator} `,
    label: value,
    about: '',
    then: { kind: 'filter', filter },
  };
}

function atLeast(spans: number, sampled: { spanCount: number } | null | undefined): string {
  return sampled ? `${count(spans)} of ${count(sampled.spanCount)} sampled` : count(spans);
}
