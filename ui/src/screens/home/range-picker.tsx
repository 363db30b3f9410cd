import { useEffect, useRef, useState } from 'preact/hooks';
import { clock, day, parseTime, type Nanos, zoneName } from '../../format/time';
import { parseZoned, writeZoned } from '../../format/zoned';
import { zone } from '../../settings';
import { iso, PRESETS, roundBounds, type TimeRange } from './range';

interface Props {
  range: TimeRange;
  /** The bounds that the server understood, once it has said. */
  bounds: { from: string; to: string } | null;
  change: (params: Record<string, string | null>) => void;
  refresh: () => void;
}

/** Which time is looked at: a length until now, or two instants. */
export function RangePicker({ range, bounds, change, refresh }: Props) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const isCustom = range.since === null;
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div class="range" role="group" aria-label="Time range">
      <div class="segments">
        {PRESETS.map(({ since, told }) => (
          <button key={since} aria-pressed={range.since === since} onClick={() => change({ since, from: null, to: null })}>
            {told}
          </button>
        ))}
        <button
          ref={button}
          aria-pressed={isCustom}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
          title="From one instant to another"
        >
          {isCustom ? toldBounds(bounds) : 'Custom'}
        </button>
      </div>
      <button class="square" onClick={refresh} aria-label="Refresh" title="Refresh (r)">
        {'\u21bb'}
      </button>
      {isOpen && <Custom bounds={bounds} change={change} close={close} />}
    </div>
  );
}

function toldBounds(bounds: Props['bounds']): string {
  if (!bounds) return 'Custom';
  const [from, to] = [parseTime(bounds.from), parseTime(bounds.to)];
  const at = (time: Nanos) => clock(time, zone.value).slice(0, to - from < 10_000_000_000n ? 12 : 8);
  const days = [day(from, zone.value).slice(5), day(to, zone.value).slice(5)];
  const isOneDay = days[0] === days[1];
  return `${days[0]} ${at(from)} \u2013 ${isOneDay ? '' : `${days[1]} `}${at(to)}`;
}

function Custom({ bounds, change, close }: Pick<Props, 'bounds' | 'change'> & { close: () => void }) {
  const now = BigInt(Date.now()) * 1_000_000n;
  const start = bounds && roundBounds(parseTime(bounds.from), parseTime(bounds.to));
  const [from, setFrom] = useState(start ? writeZoned(start.from, zone.value) : '');
  const [to, setTo] = useState(start ? writeZoned(start.to, zone.value) : '');
  const [words, setWords] = useState('');
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    form.current?.querySelector('input')?.focus();
    const away = (event: MouseEvent) => {
      const target = event.target as Element;
      if (!form.current?.contains(target) && !target.closest('.segments')) close();
    };
    addEventListener('pointerdown', away);
    return () => removeEventListener('pointerdown', away);
  }, []);

  const submit = (event: Event) => {
    event.preventDefault();
    const [begin, end] = [parseZoned(from, zone.value, now), to.trim() === '' ? now : parseZoned(to, zone.value, now)];
    if (begin === null || end === null)
      return setWords(`"${begin === null ? from : to}" is no time: write 2026-11-27 14:03, 14:03:59 or -2h.`);
    if (begin >= end) return setWords('The range ends before it begins.');
    change({ since: null, from: iso(begin), to: iso(end) });
    close();
  };
  return (
    <form
      ref={form}
      class="popup range-custom"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === 'Escape') close();
      }}
    >
      <label>
        From
        <input
          class="mono"
          value={from}
          onInput={(event) => setFrom(event.currentTarget.value)}
          aria-invalid={words !== ''}
          aria-describedby="range-words"
        />
      </label>
      <label>
        To
        <input
          class="mono"
          value={to}
          onInput={(event) => setTo(event.currentTarget.value)}
          aria-invalid={words !== ''}
          aria-describedby="range-words"
        />
      </label>
      <p id="range-words" class={words ? 'error-text' : 'muted'} role={words ? 'alert' : undefined}>
        {words || `In ${zone.value === 'local' ? 'your zone' : 'the zone'} (${zoneName(zone.value)}); -2h and now work too.`}
      </p>
      <button type="submit">Show</button>
    </form>
  );
}
