import { counted } from '../../../format/count';
import { duration, percent } from '../../../format/duration';
import { Dot } from '../../../parts/service';
import type { Model } from '../model';
import { serviceOf } from '../model';
import type { TraceState } from '../state';
import { SpanButton } from './links';
import { lengthOf } from './share';

/** Members of a group that are listed. */
const MEMBERS_MAX = 10;

/** About a gap: where it lies, between what, and what such time usually is. */
export function GapDetails({ state, model, gap }: { state: TraceState; model: Model; gap: number }) {
  const { from, to, span, before, after, inTail } = model.gaps[gap]!;
  const whole = lengthOf(inTail ? model.tail : model.thread);
  return (
    <>
      <h2>{duration(to - from)} unaccounted for</h2>
      <p>
        {span >= 0 ? (
          <>
            In <SpanButton state={state} model={model} span={span} /> no span covers this time
          </>
        ) : (
          'No span covers this time'
        )}
        {whole > 0 ? `: ${percent((to - from) / whole)} of ${inTail ? 'what went on after the root' : 'the thread'}.` : '.'}
      </p>
      <dl class="attributes neighbours">
        <Neighbour name="After" state={state} model={model} span={before} none="the span's start" />
        <Neighbour name="Before" state={state} model={model} span={after} none="the span's end" />
      </dl>
      <p class="muted">
        Work that is not instrumented, or waiting that is not: for a lock, a connection of a pool, a thread, the garbage collector.
        {span >= 0 && ` A span around it in ${serviceOf(model, span)} would say which.`}
      </p>
      <p>
        <button type="button" onClick={() => state.show(from - (to - from) * 0.1, to + (to - from) * 0.1, 'push')}>
          Zoom to it
        </button>
      </p>
    </>
  );
}

function Neighbour({ name, state, model, span, none }: { name: string; state: TraceState; model: Model; span: number; none: string }) {
  return (
    <div class="attribute">
      <dt>{name}</dt>
      <dd>{span >= 0 ? <SpanButton state={state} model={model} span={span} /> : none}</dd>
    </div>
  );
}

/** About repeated siblings: how many, how long, and the slowest of them. */
export function GroupDetails({ state, model, group }: { state: TraceState; model: Model; group: number }) {
  const { spans, name, service, count, totalNanos, sentence, kind } = model.groups[group]!;
  const sorted = [...spans].sort((a, b) => model.durations[b]! - model.durations[a]!);
  const at = (share: number) => duration(model.durations[sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!]!);
  return (
    <>
      <p class="who">
        <Dot service={service} />
        <span class="foreign">{service}</span>
      </p>
      <h2>
        <span class="foreign mono">{name}</span> {`\u00d7${count}`}
      </h2>
      <p>
        {sentence}
        {kind === 'n_plus_one' && '. One query for all of them, or a join, would take one round trip.'}
      </p>
      <dl class="timings">
        <div>
          <dt>Together</dt>
          <dd>{duration(totalNanos)}</dd>
        </div>
        <div>
          <dt>Median</dt>
          <dd>{at(0.5)}</dd>
        </div>
        <div>
          <dt>Shortest</dt>
          <dd>{at(1)}</dd>
        </div>
      </dl>
      <h3>The slowest of {counted(spans.length, 'span')}</h3>
      <ul class="links">
        {sorted.slice(0, MEMBERS_MAX).map((span) => (
          <li key={span} class="linked">
            <span class="mono">{duration(model.durations[span]!)}</span>
            <button type="button" class="plain to-span" onClick={() => state.select(span)}>
              {`at +${duration(model.starts[span]!)}`}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
