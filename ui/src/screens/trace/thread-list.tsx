import { useComputed } from '@preact/signals';
import { duration, percent } from '../../format/duration';
import { showPart } from './commands';
import { gapText, shownName, shownService } from './labels';
import { WAIT } from './model';
import { rowGap } from './rows';
import { contributors } from './sentence';
import type { TraceState } from './state';

/** How many contributors a phone has room for. */
const SHOWN_MAX = 5;

/** Where the time went, as a list: what a phone shows in place of a line across bars. */
export function ThreadList({ state }: { state: TraceState }) {
  const most = useComputed(() => (state.model.value ? contributors(state.model.value, state.model.value.thread).slice(0, SHOWN_MAX) : []));
  const model = state.model.value!;
  const total = Math.max(model.skeleton.thread.totalNanos, 1);
  if (most.value.length === 0) return null;
  return (
    <ol class="thread-list" aria-label="Where the time went">
      {most.value.map(({ code, nanos, pieces, kind }) => {
        const gap = rowGap(code);
        return (
          <li>
            <button class="plain" onClick={() => showPart(state, code)}>
              <span class="share mono">{percent(nanos / total)}</span>
              <span class="what foreign">
                {gap >= 0 ? gapText(model, model.gaps[gap]!) : `${pieces > 1 ? `${pieces} \u00d7 ` : ''}${shownName(model, code)}`}
                {gap < 0 && <span class="muted"> {shownService(model, code)}{kind === WAIT ? ', waiting' : ''}</span>}
              </span>
              <span class="mono">{duration(nanos)}</span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}
