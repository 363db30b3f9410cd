/**
 * The trace that a text names: an id of 32 hexadecimal digits (or 16, of an old system) alone, a `traceparent`, or a log
 * line with one of them in it; with the span, where a `traceparent` names one.
 */
export function traceIn(text: string): { traceId: string; spanId: string | null } | null {
  const parent = /\b[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\b/i.exec(text);
  if (parent && isId(parent[1]!)) return { traceId: parent[1]!.toLowerCase(), spanId: parent[2]!.toLowerCase() };
  const uuid = /\b([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\b/i.exec(text);
  const named = /trace[ _.-]?id["']?\s*[=:]\s*["']?([0-9a-f]{32}|[0-9a-f]{16})\b/i.exec(text);
  if (named && isId(named[1]!)) return { traceId: named[1]!.toLowerCase(), spanId: null };
  const bare = /(?<![0-9a-z])([0-9a-f]{32})(?![0-9a-z])/i.exec(text);
  if (bare && isId(bare[1]!)) return { traceId: bare[1]!.toLowerCase(), spanId: null };
  const short = /^\s*([0-9a-f]{16})\s*$/i.exec(text);
  if (short && isId(short[1]!)) return { traceId: short[1]!.toLowerCase(), spanId: null };
  if (uuid && /^\s*\S+\s*$/.test(text)) return { traceId: uuid.slice(1).join('').toLowerCase(), spanId: null };
  return null;
}

/** All zeros name nothing. */
function isId(text: string): boolean {
  return /[1-9a-f]/i.test(text);
}
