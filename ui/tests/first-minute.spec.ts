import { connect } from 'node:http2';
import { expect, test } from './harness';
import { ago, id, request, span } from './otlp';
import type { Server } from './server';

test('an empty server says how to send, and turns into the first trace by itself', async ({ page, serve }) => {
  const server = await serve();
  await page.goto(server.url);
  await expect(page.getByRole('heading', { name: /No spans yet/ })).toBeVisible();
  await expect(page.getByText(server.url).first()).toBeVisible();
  await server.send(request('first-service', [span(id(1, 32), 0, null, 'first of all', ago(1), 0, 5e6)]));
  await expect(page).toHaveURL(new RegExp(`/t/${id(1, 32)}`));
  await expect(page.getByRole('treegrid', { name: 'Spans' }).getByRole('row').first()).toHaveAttribute('aria-label', /first of all/);
});

test('a button runs the demo', async ({ page, serve }) => {
  const server = await serve();
  await page.goto(`${server.url}/start`);
  await page.getByRole('button', { name: /demo/ }).click();
  await expect(page).toHaveURL(/\/t\/[0-9a-f]{32}/);
  await expect(page.getByRole('treegrid', { name: 'Spans' }).getByRole('row').first()).toBeVisible();
  await page.getByRole('link', { name: 'clew: home' }).click();
  await expect(page.locator('.trace-link').first()).toBeVisible();
});

const METRIC = '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}';
const LOG = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}';

/** What people do wrong, and what the page must say about it. */
const MISTAKES: [what: string, does: (server: Server) => Promise<unknown>, says: RegExp][] = [
  ['POST to /', (server) => fetch(server.url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }), /\/v1\/traces/],
  ['gRPC to a wrong path', grpcToNowhere, /gRPC/],
  [
    'times of 1970',
    (server) => server.send(request('lost-in-time', [span(id(70, 32), 70, null, 'long ago', 0n, 1e9, 1e6)])),
    /1970|before 2000|clock|time/i,
  ],
  ['no service name', nameless, /service\.name|OTEL_SERVICE_NAME/],
  ['metrics', (server) => post(server, 'metrics', METRIC), /metrics/i],
  ['logs', (server) => post(server, 'logs', LOG), /logs/i],
];

for (const [what, does, says] of MISTAKES) {
  test(`a lamp explains within two seconds: ${what}`, async ({ page, serve }) => {
    const server = await serve();
    // On the screen itself, which stays when spans arrive on a server that already has some.
    await server.send(request('here-before', [span(id(9, 32), 9, null, 'something', ago(5), 0, 1e6)]));
    await server.holds(1);
    await page.goto(`${server.url}/start`);
    await expect(page.getByRole('heading', { name: 'How far spans have come' })).toBeVisible();
    await expect(page.locator('.hints li')).toHaveCount(0);
    await does(server);
    const hint = page.locator('.hints li').first();
    await expect(hint).toBeVisible({ timeout: 2_000 });
    await expect(hint).toContainText(says);
    // A sentence about what was seen, and another with the way to mend it.
    await expect(hint.locator('.hint-fix')).not.toBeEmpty();
  });
}

function post(server: Server, signal: string, body: string): Promise<Response> {
  return fetch(`${server.url}/v1/${signal}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
}

async function nameless(server: Server): Promise<void> {
  const sent = request('', [span(id(71, 32), 71, null, 'who am I', ago(1), 0, 1e6)]);
  sent.resourceSpans[0]!.resource.attributes = [];
  await server.send(sent);
}

/** HTTP/2 with prior knowledge, as a gRPC client speaks it: one request to a path that no collector has. */
async function grpcToNowhere(server: Server): Promise<void> {
  const session = connect(server.url);
  await new Promise<void>((done, failed) => {
    session.on('error', failed);
    const stream = session.request({ ':method': 'POST', ':path': '/jaeger.api_v2.CollectorService/PostSpans', 'content-type': 'application/grpc', te: 'trailers' });
    stream.on('error', failed);
    stream.on('close', done);
    stream.resume();
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  });
  session.close();
}
