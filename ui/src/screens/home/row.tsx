import { useEffect, useRef } from 'preact/hooks';
import type { Summary } from '../../api/shapes';
import { palette, paintOf } from '../../draw/palette';
import { drawSilhouette } from '../../draw/silhouette';
import { prepare } from '../../draw/surface';
import { count, counted } from '../../format/count';
import { duration } from '../../format/duration';
import { ago, clock, day, exact, parseTime } from '../../format/time';
import { Dot, Services } from '../../parts/service';
import { href } from '../../route';
import { theme, zone } from '../../settings';

/** One trace of the list. The whole row is a link to it; the spans that matched are links of their own. */
export function Row({ trace, longest }: { trace: Summary; longest: number }) {
  const { root, services, errorCount, spanCount, durationNanos, matched } = trace;
  const start = parseTime(trace.start);
  const now = BigInt(Date.now()) * 1_000_000n;
  const others = root ? services.filter((one) => one !== root.service) : services;
  return (
    <div role="row" class="trace-row">
      <span role="cell" class="col-shape">
        <Shape trace={trace} />
      </span>
      <span role="cell" class="col-root">
        <a class="trace-link" href={href(`t/${trace.traceId}`)}>
          {root ? (
            <>
              <span class="root-service foreign">
                <Dot service={root.service} /> {root.service}
              </span>
              <span class="root-operation foreign">{root.operation || 'no name'}</span>
            </>
          ) : (
            <em class="muted">root not received</em>
          )}
        </a>
        {matched && <Matched traceId={trace.traceId} matched={matched} />}
      </span>
      <span role="cell" class="col-services">
        <Services services={others} most={3} />
      </span>
      <span role="cell" class="col-spans mono">
        {count(spanCount)}
        <span class="unit">{spanCount === 1 ? ' span' : ' spans'}</span>
      </span>
      <span
        role="cell"
        class={errorCount ? 'col-errors mono error-text' : 'col-errors mono muted'}
        aria-label={counted(errorCount, 'error')}
      >
        {errorCount ? `\u2715 ${count(errorCount)}` : ''}
      </span>
      <span role="cell" class="col-duration mono">
        <span>{duration(durationNanos)}</span>
        <span class="duration-track" aria-hidden="true">
          <span class="duration-bar" style={{ width: `${(durationNanos / longest) * 100}%` }} />
        </span>
      </span>
      <span role="cell" class="col-start mono" title={`${exact(start, zone.value)}\n${ago(start, now)}`}>
        {day(start, zone.value) !== day(now, zone.value) && <span class="muted">{day(start, zone.value).slice(5)} </span>}
        {clock(start, zone.value)}
      </span>
    </div>
  );
}

/** The shape of the trace, painted when its row comes into sight. */
function Shape({ trace }: { trace: Summary }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shade = theme.value;
  useEffect(() => {
    const element = canvas.current!;
    const draw = () => {
      const surface = trace.silhouette && prepare(element, element.clientWidth, element.clientHeight);
      if (!surface || !trace.silhouette) return;
      const { services, error } = palette();
      const service = (name: string) => services[paintOf(name).colour]!;
      drawSilhouette(surface, { ...trace, silhouette: trace.silhouette }, { service, error });
    };
    const observer = new IntersectionObserver(([entry]) => {
      if (!entry?.isIntersecting) return;
      observer.disconnect();
      draw();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [trace, shade]);
  return <canvas ref={canvas} class="silhouette" aria-hidden="true" />;
}

/** The spans that met the filters; each leads to itself in the trace. */
function Matched({ traceId, matched }: { traceId: string; matched: NonNullable<Summary['matched']> }) {
  return (
    <span class="matched">
      <span class="muted">{counted(matched.count, 'match', 'matches')}</span>
      {matched.spans.map((span) => (
        <a
          key={span.spanId}
          href={href(`t/${traceId}`, new URLSearchParams({ span: span.spanId }))}
          title={`${span.service} ${span.name}, ${duration(span.durationNanos)}`}
        >
          <Dot service={span.service} />
          <span class="matched-name foreign">{span.name || 'no name'}</span>
          <span class="mono muted">{duration(span.durationNanos)}</span>
          {span.error && (
            <span class="error-text" role="img" aria-label="error">
              {'\u2715'}
            </span>
          )}
        </a>
      ))}
    </span>
  );
}
