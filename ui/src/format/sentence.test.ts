import { expect, test } from 'vitest';
import { sentence } from './sentence';

test('what is said in passing becomes a sentence', () => {
  expect(sentence('3 requests were posted to /')).toBe('3 requests were posted to /.');
  expect(sentence('did you mean /v1/traces? OTLP is taken there')).toBe('Did you mean /v1/traces? OTLP is taken there.');
  expect(sentence('gRPC calls came')).toBe('gRPC calls came.');
  expect(sentence('live.bytes is reached')).toBe('live.bytes is reached.');
  expect(sentence('Done.')).toBe('Done.');
  expect(sentence(' ')).toBe('');
});
