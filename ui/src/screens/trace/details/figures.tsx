import { duration, percent } from '../../../format/duration';
import { clock, exact, parseTime, type Zone, zoneName } from '../../../format/time';
import { FAILED, has, type Model, ORIGIN } from '../model';
import type { TraceState } from '../state';
import { SpanButton } from './links';
import { lengthOf, type Share, shareOf } from './share';

/** When and how long: all of it known from the skeleton, so it is there at once. */
export function Figures({ model, span, zone }: { model: Model; span: number; zone: Zone }) {
  const [start, length, self] = [model.starts[span]!, model.durations[span]!, model.selfs[span]!];
  const origin = parseTime(model.skeleton.start);
  const [from, to] = [origin + BigInt(start), origin + BigInt(start + length)];
  return (
    <dl class="timings">
      <Figure name="Duration" value={duration(length)} title={`${length.toLocaleString('en-US')} ns`} />
      <Figure name="Self time" value={duration(self)} more={length > 0 ? percent(self / length) : ''} title="Time in which no child ran" />
      <OnThread model={model} span={span} />
      <Figure name="Starts" value={offset(start)} line={`${clock(from, zone)} ${zoneName(zone, from)}`} title={exact(from, zone)} />
      <Figure name="Ends" value={offset(start + length)} line={clock(to, zone)} title={exact(to, zone)} />
    </dl>
  );
}

function offset(nanos: number): string {
  return nanos === 0 ? '0' : `+${duration(nanos)}`;
}

function Figure({ name, value, more = '', line = '', title, tone = '' }: Record<'name' | 'value' | 'title', string> & { more?: string; line?: string; tone?: string }) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>
        <span class={tone}>{value}</span> {more && <span class="muted">{more}</span>}
        {line && <span class="muted line">{line}</span>}
      </dd>
    </div>
  );
}

function OnThread({ model, span }: { model: Model; span: number }) {
  const share = shareOf(model, model.thread, span);
  const whole = lengthOf(model.thread);
  const title = 'For how long the trace waited for this span, and not for one below it';
  if (share.own > 0) return <Figure name="On the thread" value={duration(share.own)} more={percent(share.own / whole)} title={title} tone="thread-text" />;
  if (share.withBelow > 0) return <Figure name="On the thread" value="by its children" more={`${duration(share.withBelow)}, ${percent(share.withBelow / whole)}`} title={title} tone="thread-text" />;
  return <Figure name="On the thread" value="not on it" title="Nothing waited for it" tone="muted" />;
}

/** What there is to say about a span in sentences, most pressing first. */
export function Story({ state, model, span, statusMessage }: { state: TraceState; model: Model; span: number; statusMessage: string }) {
  const failed = has(model, span, FAILED);
  const origin = model.skeleton.errorOrigin ?? -1;
  const others = model.failed.length - 1;
  const share = shareOf(model, model.thread, span);
  const thread = threadSentence(share, 'of its time on the thread');
  const tail = shareOf(model, model.tail, span);
  return (
    <>
      {failed && (
        <div class="failure">
          <p>
            <strong class="error-text">{'\u2715 error'}</strong> <span class="foreign">{statusMessage}</span>
          </p>
          {has(model, span, ORIGIN) && others > 0 && <p>{`It began here; ${others === 1 ? 'one other span' : `${others} other spans`} failed as well.`}</p>}
          {origin >= 0 && origin !== span && (
            <p>
              It began in <SpanButton state={state} model={model} span={origin} />
            </p>
          )}
        </div>
      )}
      {!failed && statusMessage && <p class="foreign muted">{statusMessage}</p>}
      {share.own > 0 && share.withBelow > share.own && (
        <p class="muted">{`With what it called: ${duration(share.withBelow)}, ${percent(share.withBelow / lengthOf(model.thread))} of the thread.`}</p>
      )}
      {thread && <p class="muted">{thread}</p>}
      {tail.own > 0 && <p class="muted">{`${duration(tail.own)} of what went on after the root's end was its own.`}</p>}
    </>
  );
}

/** What kinds of time a share is made of, when it is not all work. */
export function threadSentence({ own, gap, wait, transit }: Share, what: string): string {
  if (own === 0 || gap + wait + transit === 0) return '';
  const parts = [
    gap > 0 ? `${duration(gap)} unaccounted for` : '',
    transit > 0 ? `${duration(transit)} in transit` : '',
    wait > 0 ? `${duration(wait)} in which only work ran that it did not wait for` : '',
  ].filter(Boolean);
  return `${own - gap - wait - transit > 0 ? '' : 'All '}${what}: ${parts.join(', ')}.`.replace(/^./, (first) => first.toUpperCase());
}
