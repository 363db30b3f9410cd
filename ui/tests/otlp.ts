/** OTLP/JSON as a sender writes it, as far as these tests send it. */
export interface OtlpRequest {
  resourceSpans: { resource: { attributes: KeyValue[] }; scopeSpans: { scope: { name: string; version?: string }; spans: OtlpSpan[] }[] }[];
}

export type AnyValue =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number }
  | { arrayValue: { values: AnyValue[] } }
  | { kvlistValue: { values: KeyValue[] } };

export interface KeyValue {
  key: string;
  value: AnyValue;
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes?: KeyValue[];
  events?: { timeUnixNano: string; name: string; attributes?: KeyValue[] }[];
  links?: { traceId: string; spanId: string; attributes?: KeyValue[] }[];
  status?: { code: number; message?: string };
}

/** Attributes from plain values. */
export function attributes(values: Record<string, string | number | boolean>): KeyValue[] {
  return Object.entries(values).map(([key, value]) => {
    if (typeof value === 'string') return { key, value: { stringValue: value } };
    if (typeof value === 'boolean') return { key, value: { boolValue: value } };
    return { key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
  });
}

/** An id of so many hexadecimal characters, the same for the same number. */
export function id(number: number, characters: 16 | 32): string {
  return (number + 1).toString(16).padStart(characters, '0');
}

/** An instant, so many seconds ago, in unix nanoseconds. */
export function ago(seconds: number): bigint {
  return (BigInt(Date.now()) - BigInt(Math.round(seconds * 1000))) * 1_000_000n;
}

/** A request with spans of one service. */
export function request(service: string, spans: OtlpSpan[], resource: Record<string, string> = {}): OtlpRequest {
  return {
    resourceSpans: [
      { resource: { attributes: attributes({ 'service.name': service, ...resource }) }, scopeSpans: [{ scope: { name: 'tests' }, spans }] },
    ],
  };
}

/** A span of a trace that began at `origin`; times are in nanoseconds from there. */
export function span(
  trace: string,
  number: number,
  parent: number | null,
  name: string,
  origin: bigint,
  from: number,
  length: number,
  more: Partial<OtlpSpan> = {},
): OtlpSpan {
  return {
    traceId: trace,
    spanId: id(number, 16),
    ...(parent === null ? {} : { parentSpanId: id(parent, 16) }),
    name,
    kind: 1,
    startTimeUnixNano: (origin + BigInt(from)).toString(),
    endTimeUnixNano: (origin + BigInt(from + length)).toString(),
    ...more,
  };
}
