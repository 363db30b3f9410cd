import { clock, day, type Nanos, parseTime, rfc3339, type Zone } from './time';

const SECOND = 1_000_000_000n;

/** How far a zone's clocks are ahead of UTC at an instant. */
export function offset(at: Nanos, zone: Zone): Nanos {
  const wall = parseTime(`${day(at, zone)}T${clock(at, zone).slice(0, 8)}Z`);
  return wall - (at - (((at % SECOND) + SECOND) % SECOND));
}

/**
 * Reads an instant as people write one in a zone: `2026-11-27 14:03`, `14:03:59.5` (today), RFC 3339, `now`, or `-2h`.
 * `null` when it is none.
 */
export function parseZoned(text: string, zone: Zone, now: Nanos): Nanos | null {
  const trimmed = text.trim();
  if (trimmed.toLowerCase() === 'now') return now;
  const back = /^-\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)$/i.exec(trimmed);
  if (back) {
    const seconds = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 }[back[2]!.toLowerCase()]!;
    return now - BigInt(Math.round(Number(back[1]) * seconds * 1000)) * 1_000_000n;
  }
  if (/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(trimmed)) return valid(trimmed);
  const wall = /^(?:(\d{4}-\d\d-\d\d)(?:[ T]+|$))?(?:(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?$/.exec(trimmed);
  if (!wall || !trimmed) return null;
  const [, date, hour = '00', minute = '00', second = '00', fraction = '0'] = wall;
  const written = valid(`${date ?? day(now, zone)}T${hour.padStart(2, '0')}:${minute}:${second}.${fraction}Z`);
  if (written === null) return null;
  // The offset that holds then is looked up at a guess; near a change of clocks the second guess is right.
  const guess = written - offset(written, zone);
  return written - offset(guess, zone);
}

/** An instant in a zone, as `parseZoned` reads it; whole seconds show no fraction. */
export function writeZoned(at: Nanos, zone: Zone): string {
  const fraction = (((at % SECOND) + SECOND) % SECOND).toString().padStart(9, '0').replace(/0+$/, '');
  return `${day(at, zone)} ${clock(at, zone).slice(0, 8)}${fraction ? `.${fraction}` : ''}`;
}

function valid(text: string): Nanos | null {
  try {
    const at = parseTime(text);
    // Days that no month has are refused, not moved to the next month.
    if (text.endsWith('Z') && rfc3339(at).slice(0, 19) !== text.slice(0, 19)) return null;
    return at;
  } catch {
    return null;
  }
}
