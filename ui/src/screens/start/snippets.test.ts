import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { addressesOf } from './doors';
import { guides } from './snippets';

const DOORS = [
  { address: '127.0.0.1:8080', purpose: 'api' },
  { address: '127.0.0.1:4317', purpose: 'otlp' },
];

test('the address is the one of the page, proxies included', () => {
  expect(addressesOf(new URL('http://localhost:8080/'), DOORS)).toEqual({
    http: 'http://localhost:8080',
    grpc: 'http://localhost:4317',
  });
  expect(addressesOf(new URL('https://obs.example/clew/start'), DOORS).http).toBe('https://obs.example/clew');
  expect(addressesOf(new URL('http://h:1/'), []).grpc).toBe('http://h:1');
  expect(addressesOf(new URL('http://h:1/'), [{ address: '[::]:9090', purpose: 'otlp' }]).grpc).toBe('http://h:9090');
  expect(addressesOf(new URL('http://h:1/'), [{ address: '10.0.0.7:4317', purpose: 'otlp' }]).grpc).toBe('http://10.0.0.7:4317');
});

test('every guide names this server', () => {
  const addresses = { http: 'http://page:1', grpc: 'http://door:2' };
  for (const guide of guides('ab'.repeat(16), 'cd'.repeat(8)))
    for (const protocol of guide.hasProtocols ? (['http', 'grpc'] as const) : (['http'] as const)) {
      const text = guide
        .steps(addresses, protocol)
        .map((step) => step.code)
        .join('\n');
      expect(text, guide.id).toContain(protocol === 'grpc' ? 'door:2' : 'http://page:1');
    }
});

test('what a shell makes of the curl command is JSON of this second', () => {
  const code = guides('ab'.repeat(16), 'cd'.repeat(8))
    .find((one) => one.id === 'curl')!
    .steps({ http: 'http://page:1', grpc: '' }, 'http')[0]!.code;
  const body = execFileSync('sh', ['-c', code.replace(/^curl.* -d /, 'printf %s ')], { encoding: 'utf8' });
  const span = JSON.parse(body).resourceSpans[0].scopeSpans[0].spans[0];
  expect(span.traceId).toHaveLength(32);
  expect(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)).toBeGreaterThanOrEqual(250_000_000n);
  expect(Math.abs(Number(span.startTimeUnixNano) / 1e9 - Date.now() / 1000)).toBeLessThan(30);
});
