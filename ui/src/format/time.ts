/** Instants are unix nanoseconds as a bigint: a double holds microseconds of today at best. */
export type Nanos = bigint;

/** Reads RFC 3339 with up to nine digits. */
export function parseTime(text: string): Nanos {
  const found = /^(.*?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!found) return 0n;
  const millis = Date.parse(`${found[1]}${found[3]}`);
  return BigInt(millis) * 1_000_000n + BigInt((found[2] ?? '').padEnd(9, '0'));
}

/** Writes RFC 3339 in UTC with nine digits, as the API reads it. */
export function rfc3339(nanos: Nanos): string {
  const seconds = nanos / 1_000_000_000n;
  const rest = nanos % 1_000_000_000n;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${rest.toString().padStart(9, '0')}Z`;
}

/** A time zone: `utc`, `local`, or a name of the IANA database. */
export type Zone = string;

/** The IANA name behind a zone; `undefined` is the browser's own. Unknown names fall back to UTC. */
function timeZone(zone: Zone): string | undefined {
  if (zone === 'local') return undefined;
  if (zone === 'utc') return 'UTC';
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: zone });
    return zone;
  } catch {
    return 'UTC';
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat('en-GB', { hourCycle: 'h23', timeZone: timeZone(zone), ...options } as Intl.DateTimeFormatOptions);
    formats.set(key, made);
  }
  return made;
}

/** `14:03:59.123` in that zone. */
export function clock(nanos: Nanos, zone: Zone): string {
  const text = format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(new Date(Number(nanos / 1_000_000n)));
  return `${text}.${((nanos / 1_000_000n) % 1000n).toString().padStart(3, '0')}`;
}

/** `14:03` in that zone. */
export function minute(nanos: Nanos, zone: Zone): string {
  return format(zone, { hour: '2-digit', minute: '2-digit' }).format(new Date(Number(nanos / 1_000_000n)));
}

/** `2026-11-27` in that zone. */
export function day(nanos: Nanos, zone: Zone): string {
  const parts = format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(new Date(Number(nanos / 1_000_000n)));
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}`;
}

/** `2026-11-27 14:03:59.123456789 UTC`: the whole instant, for those who need every digit. */
export function exact(nanos: Nanos, zone: Zone): string {
  const rest = (nanos % 1_000_000_000n).toString().padStart(9, '0');
  return `${day(nanos, zone)} ${clock(nanos, zone).slice(0, 8)}.${rest} ${zoneName(zone, nanos)}`;
}

/** What a zone is called beside a time. */
export function zoneName(zone: Zone, nanos: Nanos = BigInt(Date.now()) * 1_000_000n): string {
  const parts = format(zone, { timeZoneName: 'short', hour: '2-digit' }).formatToParts(new Date(Number(nanos / 1_000_000n)));
  return parts.find((one) => one.type === 'timeZoneName')?.value ?? 'UTC';
}

/** `12 s ago`, `8 h ago`; `now` within a second. */
export function ago(nanos: Nanos, now: Nanos): string {
  const seconds = Number((now - nanos) / 1_000_000_000n);
  if (seconds < 1) return 'now';
  const steps: [number, string][] = [[86_400, 'd'], [3_600, 'h'], [60, 'min'], [1, 's']];
  const [size, unit] = steps.find(([size]) => seconds >= size)!;
  return `${Math.floor(seconds / size)} ${unit} ago`;
}
