import { useEffect, useRef, useState } from 'preact/hooks';
import type { Heatmap as Map } from '../../api/shapes';
import { type Area, boxOf, drawHeatmap, plotIn } from '../../draw/heatmap';
import { palette } from '../../draw/palette';
import { observeSize, prepare } from '../../draw/surface';
import { count, counted } from '../../format/count';
import { zoneName } from '../../format/time';
import { useKeys } from '../../parts/keys';
import { theme, zone } from '../../settings';
import { single, useCellChoice } from './cell-choice';
import { HeatmapTable } from './heatmap-table';
import { areaOf, boundsOf, type Picked, toldPicked } from './picked';

interface Props {
  map: Map | null;
  isLoading: boolean;
  picked: Picked | null;
  /** Narrows the list to a cell; `null` lets go of it. */
  pick: (picked: Picked | null) => void;
  /** Narrows everything to an area. */
  select: (picked: Picked) => void;
}

/** Latency over time: how many traces began when and took how long, with failures marked. */
export function Heatmap({ map, isLoading, picked, pick, select }: Props) {
  const [isTable, setTable] = useState(false);
  return (
    <section class="heatmap" aria-label="Latency over time" aria-busy={isLoading}>
      <header>
        <h2>Latency over time</h2>
        <span class="muted">
          {map
            ? `${counted(map.total, 'trace')}${map.unplaced ? `, ${count(map.unplaced)} of them outside of this time` : ''}`
            : '\u00a0'}
        </span>
        {map?.incomplete && (
          <span class="error-text heatmap-incomplete" title={map.incomplete.detail}>
            {map.incomplete.detail}
          </span>
        )}
        <span class="spread" />
        {map && map.total > 0 && <Legend map={map} />}
        <button class="plain small" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          Table
        </button>
      </header>
      {isTable && map ? <HeatmapTable map={map} pick={pick} /> : <Cells map={map} picked={picked} pick={pick} select={select} />}
    </section>
  );
}

function Legend({ map }: { map: Map }) {
  const most = map.cells.counts.reduce((a, b) => Math.max(a, b), 0);
  return (
    <span class="heat-legend muted" aria-hidden="true">
      {map.errors > 0 && (
        <>
          <span class="error-text">{'\u2715'}</span> {count(map.errors)} with errors
        </>
      )}
      {most > 1 && (
        <span class="legend-scale">
          1 <span class="legend-ramp" /> {count(most)} a cell
        </span>
      )}
      <span>{zoneName(zone.value)}</span>
    </span>
  );
}

function Cells({ map, picked, pick, select }: Omit<Props, 'isLoading'>) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const plot = plotIn(size.width, size.height);
  const { cursor, hover, drag, has, handlers } = useCellChoice({ map, picked, pick, select, plot, box });

  useEffect(() => observeSize(box.current!, (width, height) => setSize({ width, height })), []);
  useEffect(() => {
    const surface = canvas.current && prepare(canvas.current, size.width, size.height);
    if (!surface || !map) return;
    drawHeatmap(surface, map, palette(), zone.value);
    performance.mark('clew:heatmap');
  }, [map, size, theme.value, zone.value]);
  useKeys({
    name: 'Heatmap',
    bindings: KEYS.map((one) => (one.keys[0] === 'h' ? { ...one, run: () => box.current?.focus() } : one)),
  });

  const pickedArea = map && picked ? areaOf(map, picked) : null;
  const pointed = drag ?? (hover ? single(hover) : cursor ? single(cursor) : null);
  const outlines: [name: string, area: Area | null][] = [
    ['picked', pickedArea],
    ['cursor', cursor && single(cursor)],
    ['drag', drag],
    ['hover', hover && !drag && has(hover) ? single(hover) : null],
  ];
  return (
    <div
      ref={box}
      class="heatmap-box"
      tabIndex={0}
      role="application"
      aria-roledescription="heatmap"
      aria-label={label(map)}
      {...handlers}
    >
      <canvas ref={canvas} aria-hidden="true" />
      {map && outlines.map(([name, area]) => area && <Outline key={name} class={name} plot={boxOf(plot, map, area)} />)}
      {map && pointed && (
        <Tip
          plot={boxOf(plot, map, pointed)}
          width={size.width}
          text={drag ? toldPicked(boundsOf(map, drag), zone.value) : words(map, pointed)}
        />
      )}
      <span class="visually-hidden" aria-live="polite">
        {map && cursor ? words(map, single(cursor)) : ''}
      </span>
    </div>
  );
}

const KEYS = [
  { keys: ['h'], told: 'Go to the heatmap' },
  { keys: ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'], told: 'From cell to cell' },
  { keys: ['Enter'], told: 'Narrow the list to the cell' },
  { keys: ['Escape'], told: 'Let go of the cell' },
];

function label(map: Map | null): string {
  if (!map?.total) return 'Traces by start and duration: none';
  const counts = `${counted(map.total, 'trace')}, ${count(map.errors)} with errors`;
  return `Traces by start and duration, ${counts}. Arrow keys go from cell to cell, Enter narrows the list to one.`;
}

function Outline({ class: name, plot }: { class: string; plot: { left: number; top: number; width: number; height: number } }) {
  return (
    <span
      class={`outline ${name}`}
      style={{ left: `${plot.left}px`, top: `${plot.top}px`, width: `${plot.width}px`, height: `${plot.height}px` }}
    />
  );
}

/** About as wide as the text of a tip gets. */
const TIP_WIDTH = 360;

/** What an area holds, beside it where there is room, else in it. */
function Tip({
  plot,
  width,
  text,
}: {
  plot: { left: number; top: number; width: number; height: number };
  width: number;
  text: string;
}) {
  const end = plot.left + plot.width;
  const across =
    end + TIP_WIDTH < width
      ? { left: `${end + 8}px` }
      : plot.left > TIP_WIDTH
        ? { right: `${width - plot.left + 8}px` }
        : { left: `${Math.max(0, Math.min(plot.left + 8, width - TIP_WIDTH))}px` };
  return (
    <span class="tip" aria-hidden="true" style={{ ...across, top: `${Math.max(0, plot.top - 4)}px` }}>
      {text}
    </span>
  );
}

/** What the one cell of an area holds, in words. */
function words(map: Map, area: Area): string {
  const [column, row] = [area.columns[0], area.rows[0]];
  const at = map.cells.columns.findIndex((one, position) => one === column && map.cells.rows[position] === row);
  const range = toldPicked(boundsOf(map, area), zone.value);
  if (at === -1) return `no trace, ${range}`;
  const errors = map.cells.errors[at]!;
  return `${counted(map.cells.counts[at]!, 'trace')}${errors ? `, ${count(errors)} with errors` : ''}, ${range}`;
}
