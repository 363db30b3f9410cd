import { beforeEach, expect, test, vi } from 'vitest';

// The address and the page are a browser's; what is asked of the server is recorded.
vi.stubGlobal('location', { protocol: 'http:', pathname: '/', search: '?tenant=acme' });
vi.stubGlobal('document', { baseURI: 'http://clew.test/' });
vi.stubGlobal('addEventListener', () => {});

const { TraceList } = await import('./trace-list');
const { suggest } = await import('./suggestions');

let asked: URL[] = [];
let answers: ((url: URL) => unknown)[] = [];

beforeEach(() => {
  asked = [];
  answers = [];
  vi.stubGlobal('fetch', async (url: URL) => {
    asked.push(url);
    return Response.json(answers.map((answer) => answer(url)).find((one) => one !== undefined) ?? {});
  });
});

const trace = (id: string, start: string) => ({
  traceId: id,
  start: `2026-11-27T11:00:${start}Z`,
  durationNanos: 1,
  services: [],
});
const onSearch = (answer: (params: URLSearchParams) => unknown) =>
  answers.push((url) => (url.pathname.endsWith('/search') ? answer(url.searchParams) : undefined));

test('pages follow the cursor, and a trace is listed once', async () => {
  onSearch((params) =>
    params.has('cursor')
      ? { traces: [trace('b', '01'), trace('c', '00')], cursor: null }
      : { traces: [trace('a', '02'), trace('b', '01')], cursor: 'next', total: { value: 3, relation: 'eq' } },
  );
  const list = new TraceList();
  await list.open(new URLSearchParams('since=1h&sort=-start'));
  expect(list.hasMore.value).toBe(true);
  await list.more();
  expect(list.rows.value!.map((one) => one.traceId)).toEqual(['a', 'b', 'c']);
  expect(list.total.value!.value).toBe(3);
  expect(list.hasMore.value).toBe(false);
  expect(asked.map((url) => url.searchParams.get('tenant'))).toEqual(['acme', 'acme']);
  await list.more();
  expect(asked).toHaveLength(2);
});

test('new traces are counted from behind the newest, and the rows stay', async () => {
  onSearch((params) => {
    if (params.get('from') === '2026-11-27T11:00:09.000000001Z')
      return { traces: [trace('new', '10')], total: { value: 38, relation: 'eq' } };
    return params.get('sort') === '-duration'
      ? { traces: [trace('slow', '02')], cursor: null }
      : { traces: [trace('newest', '09')] };
  });
  const list = new TraceList();
  await list.open(new URLSearchParams('since=1h&sort=-duration'));
  const before = list.rows.value;
  await list.poll(new AbortController().signal);
  expect(list.fresh.value!.value).toBe(38);
  expect(list.rows.value).toBe(before);
  expect(asked.at(-1)!.searchParams.has('since')).toBe(false);
});

test('a refusal is kept in its words, and the next question forgets it', async () => {
  vi.stubGlobal('fetch', async () =>
    Response.json({ title: 'Invalid parameter', detail: 'no', parameter: 'sort' }, { status: 400 }),
  );
  const list = new TraceList();
  await list.open(new URLSearchParams('sort=x'));
  expect(list.error.value).toMatchObject({ message: 'no', parameter: 'sort' });
  vi.stubGlobal('fetch', async () => Response.json({ traces: [], cursor: null }));
  await list.open(new URLSearchParams());
  expect(list.error.value).toBeNull();
  expect(list.rows.value).toEqual([]);
});

const offered = async (text: string, filters: { param: string; value: string }[] = []) =>
  (await suggest(text, filters, new AbortController().signal)).map((one) => `${one.lead ?? ''}${one.label}`);

test('offers: fields, services and attributes for a word; values for a field', async () => {
  answers.push((url) => {
    if (url.pathname === '/v1/services') return { services: ['cart', 'checkout', 'currency'] };
    if (url.pathname === '/v1/services/checkout/operations') return { operations: ['Charge', 'PlaceOrder'] };
    if (url.pathname === '/v1/attributes') return { attributes: [{ key: 'http.route', scopes: ['span'], spanCount: 3 }] };
    if (url.pathname === '/v1/attributes/values') return { values: [{ value: '/checkout', type: 'string', spanCount: 3 }] };
  });
  expect(await offered('r')).toContain('http.route');
  expect(await offered('che')).toContain('service = checkout');
  expect(await offered('service=c')).toEqual(['service = cart', 'service = checkout', 'service = currency', 'service = c']);
  expect(await offered('operation=order', [{ param: 'service', value: 'checkout' }])).toEqual([
    'operation = PlaceOrder',
    'operation = order',
  ]);
  expect(await offered('http.route=/ch')).toEqual(['http.route = /ch', 'http.route = /checkout']);
  expect(await offered('status=e')).toEqual(['status = error', 'status = unset']);
  expect(await offered('duration>=')).toContain('duration \u2265 300 ms');
  expect(asked.find((url) => url.pathname === '/v1/attributes/values')!.search).toBe(
    '?key=http.route&limit=50&prefix=%2Fch&tenant=acme',
  );
});

test('an id offers its trace and asks nothing', async () => {
  expect(await offered('4bf92f3577b34da6a3ce929d0e0e4736')).toEqual(['4bf92f3577b34da6a3ce929d0e0e4736']);
  expect(asked).toEqual([]);
});
