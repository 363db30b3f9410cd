import type { Heatmap } from '../../api/shapes';
import { count } from '../../format/count';
import { duration } from '../../format/duration';
import { clock } from '../../format/time';
import { zone } from '../../settings';
import { boundsOf, type Picked, toldPicked } from './picked';

const MOST = 500;

/** The heatmap as a table: its cells that hold a trace, the slowest first. */
export function HeatmapTable({ map, pick }: { map: Heatmap; pick: (picked: Picked) => void }) {
  const { columns, rows, counts, errors } = map.cells;
  const order = columns.map((_, at) => at).sort((a, b) => rows[b]! - rows[a]! || columns[b]! - columns[a]!);
  return (
    <div class="heatmap-box heatmap-table" tabIndex={0} role="group" aria-label="Cells of the heatmap">
      <table>
        <thead>
          <tr>
            <th scope="col">Start</th>
            <th scope="col">Duration</th>
            <th scope="col">Traces</th>
            <th scope="col">With errors</th>
          </tr>
        </thead>
        <tbody>
          {order.slice(0, MOST).map((at) => {
            const cell = boundsOf(map, { columns: [columns[at]!, columns[at]!], rows: [rows[at]!, rows[at]!] });
            return (
              <tr key={at}>
                <th scope="row" class="mono">
                  {clock(cell.from, zone.value).slice(0, 8)} {'\u2013'} {clock(cell.to, zone.value).slice(0, 8)}
                </th>
                <td class="mono">
                  {duration(cell.min)} {'\u2013'} {duration(cell.max)}
                </td>
                <td>
                  <button
                    class="plain small"
                    onClick={() => pick(cell)}
                    aria-label={`${count(counts[at]!)}: narrow the list to ${toldPicked(cell, zone.value)}`}
                  >
                    {count(counts[at]!)}
                  </button>
                </td>
                <td class={errors[at] ? 'error-text' : 'muted'}>{errors[at] ? `\u2715 ${count(errors[at])}` : '0'}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {order.length > MOST && (
        <p class="muted">{count(order.length - MOST)} more cells with shorter traces are not in this table.</p>
      )}
    </div>
  );
}
