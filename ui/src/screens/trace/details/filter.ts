import { type Nanos, rfc3339 } from '../../../format/time';

const HOUR = 3_600_000_000_000n;

/** The search parameters that find more spans like one: the condition, and a time range in which its trace lies. */
export function homeParams(conditions: readonly [name: string, value: string][], traceStart: Nanos, now: Nanos): URLSearchParams {
  const params = new URLSearchParams();
  for (const [name, value] of conditions) params.append(name, value);
  const age = now - traceStart;
  const since = ([['1h', HOUR], ['3h', 3n * HOUR], ['24h', 24n * HOUR]] as const).find(([, length]) => age >= 0n && age < length);
  if (since) params.set('since', since[0]);
  else {
    params.set('from', rfc3339(traceStart - HOUR));
    params.set('to', rfc3339(traceStart + HOUR));
  }
  return params;
}
