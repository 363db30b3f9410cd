/** A count with thin groups: `12,431`. */
export function count(value: number): string {
  // By hand: the first use of a locale costs 20 ms.
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A count and its noun: `1 span`, `44 spans`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** Bytes in binary units, three significant digits: `181 MiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let at = 0;
  while (value >= 1023.5 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  const text = at === 0 || value >= 99.95 ? Math.round(value).toString() : value.toFixed(value >= 9.995 ? 1 : 2);
  return `${text} ${units[at]}`;
}
