/**
 * Traces that no shop sends by chance, for tests and budgets: very many spans, very deep ones, circles, an N+1, a hole.
 * The same seed makes the same trace. Each is sent as OTLP/JSON, in requests of a size that a server takes.
 *
 *   const trace = await send('http://127.0.0.1:8080', 'batch', { spans: 50_000 })
 */

/** The shapes that can be made. */
export type Shape = 'batch' | 'wide' | 'deep' | 'cycle' | 'n_plus_one' | 'hole' | 'hostile';

/** What can be asked for. */
export interface Wishes {
  /** How many spans, where the shape has no number of its own. */
  spans?: number;
  seed?: number;
  /** When the trace begins, unix milliseconds; a minute ago unless said. */
  startMillis?: number;
}

interface Made {
  id: number;
  parent: number;
  service: string;
  name: string;
  kind: number;
  /** Nanoseconds from the trace's start. */
  from: number;
  length: number;
  error?: string;
  attributes?: Record<string, string>;
  events?: { name: string; at: number; attributes?: Record<string, string> }[];
}

const [INTERNAL, SERVER, CLIENT] = [1, 2, 3];
const [US, MS] = [1_000, 1_000_000];
const SPANS_PER_REQUEST = 5_000;

/** Makes a trace and sends it; gives its id and its spans' ids in the order of sending. */
export async function send(server: string, shape: Shape, wishes: Wishes = {}): Promise<{ traceId: string; spanIds: string[] }> {
  const { spans = 50_000, seed = 1, startMillis = Date.now() - 60_000 } = wishes;
  const random = chance(seed);
  const traceId = hex(random, 32);
  const made = make(shape, spans, random);
  const prefix = hex(random, 8);
  const spanId = (id: number) => prefix + id.toString(16).padStart(8, '0');
  for (let at = 0; at < made.length; at += SPANS_PER_REQUEST) {
    const body = JSON.stringify(request(made.slice(at, at + SPANS_PER_REQUEST), traceId, spanId, startMillis));
    const answer = await fetch(`${server}/v1/traces`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    if (!answer.ok) throw new Error(`the server refused spans: ${answer.status} ${await answer.text()}`);
  }
  return { traceId, spanIds: made.map((span) => spanId(span.id)) };
}

function make(shape: Shape, spans: number, random: () => number): Made[] {
  switch (shape) {
    case 'batch':
      return batch(spans, random);
    case 'wide':
      return wide(spans, random);
    case 'deep':
      return Array.from({ length: 1_000 }, (_, at) => ({
        id: at + 1, parent: at, service: `hop-${at % 7}`, name: `level ${at}`, kind: INTERNAL, from: at * 100 * US, length: (2_000 - at * 2) * 100 * US,
      }));
    case 'cycle':
      return [
        { id: 1, parent: 2, service: 'ouroboros', name: 'head', kind: INTERNAL, from: 0, length: 30 * MS },
        { id: 2, parent: 3, service: 'ouroboros', name: 'belly', kind: INTERNAL, from: 5 * MS, length: 20 * MS },
        { id: 3, parent: 1, service: 'ouroboros', name: 'tail', kind: INTERNAL, from: 10 * MS, length: 10 * MS },
        { id: 4, parent: 4, service: 'narcissus', name: 'sees itself', kind: INTERNAL, from: 12 * MS, length: 5 * MS },
      ];
    case 'n_plus_one':
      return nPlusOne();
    case 'hole':
      return hole();
    case 'hostile':
      return hostile();
  }
}

/** A nightly import: batches of items, each a call to a server with queries behind it; some fail. */
function batch(spans: number, random: () => number): Made[] {
  const services = ['pricing', 'stock', 'catalog', 'search', 'media', 'billing', 'ledger', 'mailer', 'audit'];
  const root: Made = { id: 1, parent: 0, service: 'importer', name: 'nightly import', kind: INTERNAL, from: 0, length: 0 };
  const made = [root];
  let now = 2 * MS;
  while (made.length < spans) {
    const group: Made = { id: made.length + 1, parent: 1, service: 'importer', name: `batch ${Math.floor(made.length / 500)}`, kind: INTERNAL, from: now, length: 0 };
    made.push(group);
    now += 200 * US;
    for (let item = 0; item < 90 && made.length < spans; item++) {
      const service = services[Math.floor(random() * services.length)]!;
      const name = `PUT /${service}/items/{id}`;
      const length = Math.floor((0.4 + random() ** 6 * 40) * MS);
      const error = random() < 0.004 ? 'deadline exceeded while waiting for a connection' : undefined;
      const failed = error ? { error } : {};
      const call = made.length + 1;
      made.push({ id: call, parent: group.id, service: 'importer', name, kind: CLIENT, from: now, length, ...failed });
      if (made.length >= spans) break;
      made.push({
        id: call + 1, parent: call, service, name, kind: SERVER, from: now + 60 * US, length: length - 120 * US, ...failed,
        events: error ? [{ name: 'exception', at: now + length / 2, attributes: { 'exception.type': 'TimeoutError', 'exception.message': error } }] : [],
      });
      for (let query = 0; query < 3 && made.length < spans; query++) {
        const from = now + 80 * US + Math.floor(((length - 200 * US) * query) / 3);
        made.push({
          id: made.length + 1, parent: call + 1, service, name: ['SELECT items', 'SELECT prices', 'UPDATE items'][query]!, kind: CLIENT, from,
          length: Math.floor((length - 200 * US) * (0.1 + random() * 0.2)), attributes: { 'db.system': 'postgresql', 'item.sku': `SKU-${made.length}` },
        });
      }
      now += length + Math.floor(random() * 100 * US);
    }
    group.length = now - group.from;
    now += 300 * US;
  }
  root.length = now;
  return made;
}

/** One parent with all others as its children, many at once. */
function wide(spans: number, random: () => number): Made[] {
  const total = spans * 100 * US;
  const made: Made[] = [{ id: 1, parent: 0, service: 'fan', name: 'scatter', kind: INTERNAL, from: 0, length: total }];
  for (let at = 1; at < spans; at++) {
    const from = at * 99 * US;
    made.push({ id: at + 1, parent: 1, service: `worker-${at % 12}`, name: `part ${at % 40}`, kind: CLIENT, from, length: Math.floor(random() * 5 * MS) });
  }
  return made;
}

function nPlusOne(): Made[] {
  const made: Made[] = [
    { id: 1, parent: 0, service: 'shop', name: 'GET /orders', kind: SERVER, from: 0, length: 1_260 * MS },
    { id: 2, parent: 1, service: 'shop', name: 'SELECT orders', kind: CLIENT, from: 3 * MS, length: 9 * MS },
  ];
  for (let at = 0; at < 312; at++) {
    made.push({
      id: at + 3, parent: 1, service: 'shop', name: 'SELECT order_items', kind: CLIENT, from: (14 + at * 3.95) * MS, length: 3.85 * MS,
      attributes: { 'db.system': 'postgresql', 'db.query.text': 'SELECT * FROM order_items WHERE order_id = $1' },
    });
  }
  return made;
}

/** A sign-up whose time is in no span: 75 ms between two calls. */
function hole(): Made[] {
  return [
    { id: 1, parent: 0, service: 'auth', name: 'POST /auth/register', kind: SERVER, from: 0, length: 90 * MS },
    { id: 2, parent: 1, service: 'auth', name: 'UserRepo.findByEmail', kind: INTERNAL, from: 1 * MS, length: 6 * MS },
    { id: 3, parent: 2, service: 'users-db', name: 'SELECT users', kind: CLIENT, from: 2 * MS, length: 4 * MS },
    { id: 4, parent: 1, service: 'auth', name: 'UserRepo.save', kind: INTERNAL, from: 82 * MS, length: 6 * MS },
    { id: 5, parent: 4, service: 'users-db', name: 'Transaction.commit', kind: CLIENT, from: 83 * MS, length: 4.5 * MS },
  ];
}

/** Text that wants to be more than text. */
function hostile(): Made[] {
  const names = [
    '<script>document.title = "owned"</script>', '<img src=x onerror="document.title=\'owned\'">', '\u202eevil right-to-left\u202c', 'zero\u200bwidth\u200djoin',
    'a'.repeat(60_000), '', ' ', '"quotes" & <b>bold</b>', '\u0000\u0007bell', '\u{1f9f6}'.repeat(300),
  ];
  const root: Made = { id: 1, parent: 0, service: '<b>shop</b>', name: names[0]!, kind: SERVER, from: 0, length: 100 * MS, error: '<script>alert(1)</script>' };
  return [root, ...names.map((name, at) => ({
    id: at + 2, parent: 1, service: at % 2 ? name.slice(0, 300) : 'shop', name, kind: INTERNAL, from: (at + 1) * 8 * MS, length: 7 * MS,
    attributes: { [name.slice(0, 200) || 'key']: name },
  }))];
}

function request(spans: Made[], traceId: string, spanId: (id: number) => string, startMillis: number) {
  const byService = new Map<string, Made[]>();
  for (const span of spans) {
    const list = byService.get(span.service);
    if (list) list.push(span);
    else byService.set(span.service, [span]);
  }
  const time = (nanos: number) => (BigInt(startMillis) * 1_000_000n + BigInt(Math.round(nanos))).toString();
  const attributes = (all: Record<string, string> = {}) => Object.entries(all).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  return {
    resourceSpans: [...byService].map(([service, own]) => ({
      resource: { attributes: attributes({ 'service.name': service, 'service.instance.id': `${service}-1` }) },
      scopeSpans: [{
        scope: { name: 'clew.giant' },
        spans: own.map((span) => ({
          traceId, spanId: spanId(span.id), ...(span.parent ? { parentSpanId: spanId(span.parent) } : {}), name: span.name, kind: span.kind,
          startTimeUnixNano: time(span.from), endTimeUnixNano: time(span.from + span.length), attributes: attributes(span.attributes),
          events: (span.events ?? []).map((event) => ({ name: event.name, timeUnixNano: time(event.at), attributes: attributes(event.attributes) })),
          status: span.error ? { code: 2, message: span.error } : {},
        })),
      }],
    })),
  };
}

/** Numbers from 0 to 1 that a seed decides (mulberry32). */
function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function hex(random: () => number, digits: number): string {
  return Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
}
