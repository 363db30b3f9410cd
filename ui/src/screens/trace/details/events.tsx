import { useSignal } from '@preact/signals';
import type { SpanEvent } from '../../../api/shapes';
import { count } from '../../../format/count';
import { duration } from '../../../format/duration';
import { exact, type Nanos, parseTime, type Zone } from '../../../format/time';
import { Attributes, matches, type Reading } from './attributes';
import { Copy } from './copy';
import { EXCEPTION_KEYS, exceptionOf, type Exception, stackLines } from './stack';
import { Foreign, Value } from './value';
import { tell } from './values';

const EVENTS_STEP = 50;
const STACK_LINES = 24;

/** Events in the order of time, each with its distance from the span's start. */
export function Events({ events, start, zone, reading }: { events: readonly SpanEvent[]; start: Nanos; zone: Zone; reading: Reading }) {
  const shown = useSignal(EVENTS_STEP);
  const wanted = reading.wanted.toLowerCase();
  const sorted = events
    .map((event) => ({ event, at: parseTime(event.time) }))
    .filter(({ event }) => event.name.toLowerCase().includes(wanted) || event.attributes.some((one) => matches(one, wanted)))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  if (sorted.length === 0) return <p class="muted none">none has the text</p>;
  const left = sorted.length - shown.value;
  return (
    <>
      <ol class="events">
        {sorted.slice(0, shown.value).map(({ event, at }, index) => (
          <li key={index}>
            <Event event={event} offset={Number(at - start)} when={exact(at, zone)} reading={reading} />
          </li>
        ))}
      </ol>
      {left > 0 && (
        <button type="button" class="plain more" onClick={() => (shown.value += EVENTS_STEP)}>
          show {count(Math.min(left, EVENTS_STEP))} more of {count(left)}
        </button>
      )}
    </>
  );
}

function Event({ event, offset, when, reading }: { event: SpanEvent; offset: number; when: string; reading: Reading }) {
  const exception = exceptionOf(event);
  const rest = exception ? event.attributes.filter((one) => !EXCEPTION_KEYS.has(one.key)) : event.attributes;
  return (
    <>
      <p class="event">
        <span class="mono offset" title={when}>
          {offset === 0 ? '0' : `${offset < 0 ? '' : '+'}${duration(offset)}`}
        </span>
        <strong class={exception ? 'error-text' : undefined}>
          {exception && '\u2715 '}
          <Foreign text={event.name || '(no name)'} wanted={reading.marked} />
        </strong>
      </p>
      {exception && <ExceptionCard exception={exception} reading={reading} />}
      {rest.length > 0 && <Attributes attributes={rest} reading={{ ...reading, filter: null }} />}
      {event.droppedAttributesCount ? <p class="muted">{count(event.droppedAttributesCount)} more attributes were left out.</p> : null}
    </>
  );
}

/** An exception: what, why, and the frames, those of libraries dimmed. */
function ExceptionCard({ exception, reading }: { exception: Exception; reading: Reading }) {
  const all = useSignal(false);
  const own = useSignal(false);
  const { type, message, stack } = exception;
  const lines = stackLines(stack.slice(0, all.value ? undefined : 20_000)).filter((line) => !own.value || !line.library);
  const shown = all.value ? lines : lines.slice(0, STACK_LINES);
  const hasLibraries = own.value || lines.some((line) => line.library);
  return (
    <div class="exception">
      <p class="mono">
        <strong>
          <Foreign text={type || 'Exception'} wanted={reading.marked} />
        </strong>
      </p>
      {message && (
        <p>
          <Value told={tell({ key: '', type: 'string', value: message })} wanted={reading.marked} />
        </p>
      )}
      {exception.escaped && <p class="muted">It left the span.</p>}
      {stack && (
        <>
          {/* It scrolls, so the keyboard must be able to reach it. */}
          <pre class="stack" tabIndex={0} role="region" aria-label="Stack trace">
            {shown.map((line, at) => (
              <span key={at} class={line.library ? 'library' : undefined}>
                <Foreign text={line.text} wanted={reading.marked} />
                {'\n'}
              </span>
            ))}
          </pre>
          <p class="tools">
            {(all.value || lines.length > shown.length) && (
              <button type="button" class="plain more" aria-expanded={all.value} onClick={() => (all.value = !all.value)}>
                {all.value ? 'show less' : `show all ${count(stack.split('\n').length)} lines`}
              </button>
            )}
            {hasLibraries && (
              <button type="button" class="plain more" aria-pressed={own.value} onClick={() => (own.value = !own.value)}>
                own code only
              </button>
            )}
            <Copy text={() => stack} what="the stack trace" label="copy" />
          </p>
        </>
      )}
    </div>
  );
}
