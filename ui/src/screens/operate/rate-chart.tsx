import { useEffect, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { palette } from '../../draw/palette';
import { observeSize } from '../../draw/surface';
import { clock } from '../../format/time';
import { theme, zone } from '../../settings';
import { rate, type Rates } from './history';

const HEIGHT = 160;
const TABLE_ROWS = 40;

/** Spans a second over the last minutes: a chart, and the same as a table. */
export function RateChart({ rates }: { rates: Rates }) {
  const [isTable, setTable] = useState(false);
  const [pointed, setPointed] = useState<number | null>(null);
  const at = pointed !== null && pointed < rates.at.length ? pointed : rates.at.length - 1;
  const isKnown = at >= 0;
  return (
    <section class="panel wide" aria-label="Spans in">
      <header>
        <h2>Spans in</h2>
        <span class="key">
          <span class="key-line" /> <span class="mono">{isKnown ? rate(rates.received[at]!) || 'unknown' : '\u2013'}</span>{' '}
          received a second
        </span>
        <span class="key">
          <span class="key-line failed" /> <span class="mono">{isKnown ? rate(rates.turned[at]!) || 'unknown' : '\u2013'}</span>{' '}
          turned away
        </span>
        <span class="muted mono">{pointed !== null && isKnown ? told(rates.at[at]!, zone.value) : ''}</span>
        <span class="spread" />
        <button class="plain small" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          Table
        </button>
      </header>
      {isTable ? <RateTable rates={rates} /> : <Chart rates={rates} point={setPointed} />}
    </section>
  );
}

function Chart({ rates, point }: { rates: Rates; point: (at: number | null) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [isMade, setMade] = useState(false);
  const shade = theme.value;
  const present = zone.value;
  const isEmpty = rates.at.length === 0;

  useEffect(() => {
    let isGone = false;
    let stop = () => {};
    // The chart library comes when a chart is wanted.
    void Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css')]).then(([{ default: Plot }]) => {
      if (isGone || !box.current) return;
      chart.current = new Plot(options(box.current.clientWidth, present, point), columns(rates), box.current);
      stop = observeSize(box.current, (width) => width > 0 && chart.current?.setSize({ width, height: HEIGHT }));
      setMade(true);
    });
    return () => {
      isGone = true;
      stop();
      chart.current?.destroy();
      chart.current = null;
      point(null);
      setMade(false);
    };
  }, [shade, present]);
  useEffect(() => chart.current?.setData(columns(rates)), [rates, isMade]);
  return (
    <div class="chart">
      <div
        ref={box}
        class={isEmpty ? 'chart-box waiting' : 'chart-box'}
        role="img"
        aria-label="Spans a second over the last five minutes; the table has the numbers"
      />
      {isEmpty && <p class="muted chart-wait">Counting</p>}
    </div>
  );
}

/** As the chart takes it; a line of nothing but zeros is not drawn in the colour of failure. */
function columns({ at, received, turned }: Rates): uPlot.AlignedData {
  return [at, received, turned.some((one) => one) ? turned : turned.map(() => null)];
}

function told(at: number, present: string): string {
  return clock(BigInt(Math.round(at * 1000)) * 1_000_000n, present).slice(0, 8);
}

const WINDOW_SECONDS = 300;

function options(width: number, present: string, point: (at: number | null) => void): uPlot.Options {
  const { text, muted, line, error, font } = palette();
  const axis = {
    stroke: muted,
    font: `11px ${font}`,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false },
    hooks: { setCursor: [(plot) => point(plot.cursor.idx ?? null)] },
    scales: {
      x: { time: true, range: (_, __, last) => [last - WINDOW_SECONDS, last] },
      y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
    },
    axes: [
      { ...axis, size: 28, space: 90, values: (_, splits) => splits.map((at) => told(at, present)) },
      { ...axis, size: 54, space: 28, values: (_, splits) => splits.map((value) => rate(value).replace(/\.0+$/, '')) },
    ],
    series: [
      {},
      { stroke: text, width: 1.5, points: { show: false } },
      { stroke: error, width: 1.5, dash: [4, 3], points: { show: false } },
    ],
  };
}

function RateTable({ rates }: { rates: Rates }) {
  const rows = rates.at.map((at, row) => ({ at, received: rates.received[row]!, turned: rates.turned[row]! })).reverse();
  return (
    <div class="chart chart-table" tabIndex={0} role="group" aria-label="Spans a second">
      <table>
        <thead>
          <tr>
            <th scope="col">Until</th>
            <th scope="col">Received a second</th>
            <th scope="col">Turned away a second</th>
          </tr>
        </thead>
        <tbody class="mono">
          {rows.slice(0, TABLE_ROWS).map((row) => (
            <tr key={row.at}>
              <th scope="row">{told(row.at, zone.value)}</th>
              <td>{rate(row.received)}</td>
              <td>{rate(row.turned)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
