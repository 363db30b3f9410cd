import { useComputed, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { count, counted } from '../../format/count';
import { duration } from '../../format/duration';
import { clock, day, exact, parseTime, zoneName } from '../../format/time';
import { address } from '../../route';
import { zone } from '../../settings';
import { NOTHING, addressOfRow } from './choice';
import { nextOf, showPart } from './commands';
import { rowLabel } from './labels';
import type { Model } from './model';
import { partsOf } from './sentence';
import type { TraceState } from './state';

/** What trace this is, what happened in it in words, and what can be done with it. */
export function Header({ state, help }: { state: TraceState; help: () => void }) {
  const model = state.model.value!;
  const { summary, traceId } = model.skeleton;
  const start = parseTime(summary.start);
  return (
    <header class="trace-header">
      <div class="trace-title">
        <h1 class="foreign" title={summary.root ? `${summary.root.service} ${summary.root.operation}` : undefined}>
          {summary.root ? (
            <>
              <span class="muted foreign">{summary.root.service}</span>{' '}
              <span class="foreign">{summary.root.operation || '(no name)'}</span>
            </>
          ) : (
            'No spans'
          )}
        </h1>
        <ul class="facts">
          <Lengths model={model} />
          <li>{counted(summary.spanCount, 'span')}</li>
          <li class="muted">
            {summary.errorCount > 0 ? (
              <button class="link error-text" title="Next error (e)" onClick={() => nextOf(state, model.failed, 1)}>
                {counted(summary.errorCount, 'error')}
              </button>
            ) : (
              '0 errors'
            )}
          </li>
          <li title={summary.services.join(', ')}>{counted(summary.services.length, 'service')}</li>
          <li title={exact(start, zone.value)}>
            <time dateTime={summary.start}>
              {day(start, zone.value)} {clock(start, zone.value)} {zoneName(zone.value, start)}
            </time>
          </li>
        </ul>
        <div class="trace-actions">
          <CopyId traceId={traceId} />
          <Downloads state={state} />
          <button class="plain" onClick={help} aria-label="Keys" title="Keys (?)">
            ?
          </button>
        </div>
      </div>
      <Sentence state={state} />
      <Notes state={state} />
    </header>
  );
}

/** How long it took: the thread's length, which is the root's, and all of it where spans lie outside of the root. */
function Lengths({ model }: { model: Model }) {
  const [thread, all] = [model.skeleton.thread.totalNanos, model.skeleton.summary.durationNanos];
  return (
    <>
      <li class="mono strong" title="From the root's start to its end">
        {duration(thread)}
      </li>
      {all > thread * 1.005 && (
        <li class="muted" title="From the first start to the last end of all spans">
          <span class="mono">{duration(all)}</span> in all
        </li>
      )}
    </>
  );
}

/** The thread in words. What it names can be pressed. */
function Sentence({ state }: { state: TraceState }) {
  const parts = useComputed(() => (state.model.value ? partsOf(state.model.value, state.grouped.value) : []));
  const model = state.model.value!;
  const follow = (event: MouseEvent, code: number) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    showPart(state, code);
    // The keys go on from there.
    document.querySelector<HTMLElement>('[role=treegrid]')?.focus({ preventScroll: true });
  };
  return (
    <p class="sentence" id="thread-sentence">
      {parts.value.map(({ text, code }) =>
        code === NOTHING ? (
          <span class="foreign">{text}</span>
        ) : (
          <a class="part foreign" href={linkTo(state, code)} title={rowLabel(model, code)} onClick={(event) => follow(event, code)}>
            {text}
          </a>
        ),
      )}
    </p>
  );
}

/** The address that has a row chosen, all else as it is there: a zoom changes the links once it pauses. */
function linkTo(state: TraceState, code: number): string {
  const params = new URLSearchParams(address.value.params);
  for (const [name, value] of Object.entries(addressOfRow(state.model.value!, code))) {
    if (value === null) params.delete(name);
    else params.set(name, value);
  }
  return location.protocol === 'file:' ? `#${params}` : `${location.pathname}?${params}`;
}

function CopyId({ traceId }: { traceId: string }) {
  const copied = useSignal(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(traceId);
      copied.value = true;
      setTimeout(() => {
        copied.value = false;
      }, 1_500);
    } catch {
      // Without a clipboard the id is there to be read and marked.
      copied.value = false;
    }
  };
  return (
    <button class="plain id" onClick={copy} title={`Copy the trace id ${traceId}`}>
      <span class="mono muted">{traceId.slice(0, 8)}</span> <span aria-live="polite">{copied.value ? 'copied' : 'copy id'}</span>
    </button>
  );
}

function Downloads({ state }: { state: TraceState }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const { corrected } = state;
  void corrected.value;
  const [otlp, html] = [state.source.download('otlp'), state.source.download('html')];
  if (!otlp && !html) return null;
  const { traceId } = state.model.value!.skeleton;
  const close = () => menu.current?.removeAttribute('open');
  return (
    <details class="menu" ref={menu} onKeyDown={(event) => event.key === 'Escape' && close()}>
      <summary class="button plain">Download</summary>
      <div class="menu-list">
        {otlp && (
          <a href={otlp} download={`${traceId}.json`} onClick={close}>
            OTLP JSON
          </a>
        )}
        {html && (
          <a href={html} download={`${traceId}.html`} onClick={close}>
            A page that opens offline
          </a>
        )}
      </div>
    </details>
  );
}

/** What must be known before the picture is believed. */
function Notes({ state }: { state: TraceState }) {
  const model = state.model.value!;
  const notes = notesOf(model, state.growing.value, state.failure.value);
  const skews = model.skeleton.skews ?? [];
  if (notes.length === 0 && skews.length === 0) return null;
  return (
    <ul class="notes">
      {notes.map((text) => (
        <li>{text}</li>
      ))}
      {skews.length > 0 && (
        <li>
          {skewText(model)}{' '}
          <button class="link" aria-pressed={state.corrected.value} onClick={() => state.put({ clock: state.corrected.value ? null : 'corrected' })}>
            {state.corrected.value ? 'Show times as sent' : 'Show corrected times'}
          </button>
        </li>
      )}
    </ul>
  );
}

function skewText(model: Model): string {
  const skews = model.skeleton.skews;
  const [first] = skews;
  const { offsetNanos, instance, reference, corrected } = first!;
  const more = skews.length > 1 ? ` (and ${count(skews.length - 1)} more)` : '';
  const side = offsetNanos > 0 ? 'ahead of' : 'behind';
  return `The clock of ${instance} seems ${duration(Math.abs(offsetNanos))} ${side} that of ${reference}${more}${corrected ? '; its spans are moved' : ''}.`;
}

/** What is to be said about how the trace came to be here. */
export function notesOf(model: Model, growing: boolean, failure: Error | null): string[] {
  const { state, marks = {}, eventsLeftOut = 0 } = model.skeleton;
  const notes: string[] = [];
  if (failure) notes.push(`Shown as it was last known: ${failure.message}`);
  if (state.incomplete) notes.push(state.incomplete.detail);
  if (!state.rootSeen) notes.push('Root not received: no span without a parent is here.');
  if (growing && !state.settled) notes.push('Still arriving.');
  if (state.lateSpans > 0) notes.push(`${counted(state.lateSpans, 'span')} came after the trace was settled.`);
  const orphans = marks['orphan']?.length ?? 0;
  if (orphans > 0) notes.push(`${counted(orphans, 'span')} whose parent is not here.`);
  const circles = marks['cycle_broken']?.length ?? 0;
  if (circles > 0) notes.push(`${counted(circles, 'span')} named each other as parents: the circle is cut.`);
  if (eventsLeftOut > 0) notes.push(`${counted(eventsLeftOut, 'event')} are not drawn; the details have them.`);
  return notes;
}
