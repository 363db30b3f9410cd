import { expect, test } from 'vitest';
import { traceIn } from './trace-id';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';

test('ids are found in what people paste', () => {
  for (const text of [
    ID,
    ` ${ID.toUpperCase()}\n`,
    `2026-11-20 09:00:00 ERROR checkout trace_id=${ID} span_id=00f067aa0ba902b7 card declined`,
    `{"level":"error","traceId":"${ID}","msg":"x"}`,
    `https://traces.example/t/${ID}?span=00f067aa0ba902b7`,
    '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
  ])
    expect(traceIn(text)?.traceId, text).toBe(ID);
  expect(traceIn('00f067aa0ba902b7')?.traceId).toBe('00f067aa0ba902b7');
});

test('a traceparent names its span', () => {
  expect(traceIn(`traceparent: 00-${ID}-00f067aa0ba902b7-01`)).toEqual({ traceId: ID, spanId: '00f067aa0ba902b7' });
});

test('filters and words are no ids', () => {
  for (const text of ['service=checkout', '', 'deadbeef', '0'.repeat(32), `${ID}00`, 'span 00f067aa0ba902b7'])
    expect(traceIn(text), text).toBeNull();
});
