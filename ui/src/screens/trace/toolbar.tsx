import { useEffect, useRef } from 'preact/hooks';
import { count } from '../../format/count';
import { nextOf } from './commands';
import type { Colour, TraceState, View } from './state';

const VIEWS: [View, string, string][] = [
  ['waterfall', 'Waterfall', '1'],
  ['flame', 'Flame', '2'],
  ['table', 'Table', '3'],
];

/** Which view, what is folded and hidden, what colour says, and what is looked for. */
export function Toolbar({ state }: { state: TraceState }) {
  const model = state.model.value!;
  return (
    <div class="trace-tools">
      <div class="tabs" role="group" aria-label="View">
        {VIEWS.map(([view, name, key]) => (
          <button aria-pressed={state.view.value === view} title={`${name} (${key})`} onClick={() => state.put({ view: view === 'waterfall' ? null : view })}>
            {name}
          </button>
        ))}
      </div>
      <Toggle on={state.threadOnly.value} title="Only what leads to the thread (t)" flip={() => state.put({ thread: state.threadOnly.peek() ? null : '1' })}>
        Thread only
      </Toggle>
      {model.groups.length > 0 && (
        <Toggle on={state.grouped.value} title="Gather repeated siblings (g)" flip={() => state.put({ groups: state.grouped.peek() ? '0' : null })}>
          Groups
        </Toggle>
      )}
      {model.gaps.length > 0 && (
        <Toggle on={state.gaps.value} title="Rows for time that no span explains (x)" flip={() => state.put({ gaps: state.gaps.peek() ? '0' : null })}>
          Gaps
        </Toggle>
      )}
      <select
        class="colour"
        aria-label="What colour says"
        title="What colour says (c)"
        value={state.colour.value}
        onChange={(event) => setColour(state, event.currentTarget.value as Colour)}
      >
        <option value="service">Colour: service</option>
        <option value="kind">Colour: kind</option>
        <option value="self">Colour: self time</option>
      </select>
      <span class="told muted" role="status">
        {state.told.value}
      </span>
      <Find state={state} />
    </div>
  );
}

/** Chooses what colour says. */
export function setColour(state: TraceState, colour: Colour): void {
  state.put({ color: colour === 'service' ? null : colour });
}

function Toggle({ on, title, flip, children }: { on: boolean; title: string; flip: () => void; children: string }) {
  return (
    <button class="toggle" aria-pressed={on} title={title} onClick={flip}>
      {children}
    </button>
  );
}

/** Looks for text in all that the spans carry. */
function Find({ state }: { state: TraceState }) {
  const input = useRef<HTMLInputElement>(null);
  const text = state.params.value.get('find') ?? '';
  const found = state.found.value;
  useEffect(() => {
    if (!state.findOpen.value) return;
    input.current?.focus();
    input.current?.select();
    state.findOpen.value = false;
  }, [state.findOpen.value]);
  const keyed = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      findNext(state, event.shiftKey ? -1 : 1);
    } else if (event.key === 'Escape') {
      state.put({ find: null }, 'soon');
      input.current?.blur();
      document.querySelector<HTMLElement>('[role=treegrid]')?.focus();
    } else return;
    event.stopPropagation();
  };
  return (
    <div class="find" role="search">
      <input
        ref={input}
        type="search"
        placeholder="Find in this trace (/)"
        aria-label="Find in this trace: names, services, attributes, events"
        value={text}
        onInput={(event) => state.put({ find: event.currentTarget.value || null }, 'soon')}
        onKeyDown={keyed}
      />
      <span class="found mono" role="status">
        {found?.failure ? <span class="error-text" title={found.failure.message}>not found: {found.failure.message}</span> : found ? where(found.spans, state.selected.value) : ''}
      </span>
      {found && found.spans.length > 0 && (
        <>
          <button class="plain" aria-label="Previous match" title="Previous (N)" onClick={() => findNext(state, -1)}>
            &#8593;
          </button>
          <button class="plain" aria-label="Next match" title="Next (n)" onClick={() => findNext(state, 1)}>
            &#8595;
          </button>
        </>
      )}
    </div>
  );
}

function where(spans: Int32Array, selected: number): string {
  if (spans.length === 0) return 'nothing';
  const at = spans.indexOf(selected);
  return at < 0 ? `${count(spans.length)} found` : `${count(at + 1)} of ${count(spans.length)}`;
}

/** Goes to the next match, or the one before. */
export function findNext(state: TraceState, by: number): void {
  const found = state.found.peek();
  if (found) nextOf(state, found.spans, by);
}
