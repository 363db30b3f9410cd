import { useComputed } from '@preact/signals';
import { KIND_COLOURS } from '../../draw/bars';
import { paintOf } from '../../draw/palette';
import { shownNames } from './layout';
import type { Model } from './model';
import type { TraceState } from './state';

/** How many names there is room for, in a column as wide as that. */
const [SHOWN_MAX, SHOWN_WIDE_MAX, WIDE_PIXELS] = [5, 9, 300];

/** What the colours say, the most important first. */
export function Legend({ state }: { state: TraceState }) {
  const entries = useComputed(() => (state.model.value ? entriesOf(state.model.value, state.colour.value === 'kind') : []));
  if (state.colour.value === 'self') {
    return (
      <p class="legend muted">
        <span class="ramp" /> from little to much time of its own
      </p>
    );
  }
  const { value } = entries;
  const most = shownNames.value < WIDE_PIXELS ? SHOWN_MAX : SHOWN_WIDE_MAX;
  const shown = value.length > most ? value.slice(0, most - 1) : value;
  return (
    <ul class="legend">
      {shown.map(({ name, look }) => (
        <li>
          <span class={`swatch ${look}`} />
          <span class="foreign">{name.length > 40 ? `${name.slice(0, 40)}\u2026` : name}</span>
        </li>
      ))}
      {value.length > shown.length && <li class="muted">and {value.length - shown.length} more</li>}
    </ul>
  );
}

/** Services, or kinds, by the time that was their own. */
function entriesOf(model: Model, kinds: boolean): { name: string; look: string }[] {
  const names = kinds ? model.skeleton.kinds : model.skeleton.services;
  const column = kinds ? model.kinds : model.services;
  const selfs = new Float64Array(names.length);
  const counts = new Int32Array(names.length);
  for (let span = 0; span < model.count; span++) {
    selfs[column[span]!]! += model.selfs[span]!;
    counts[column[span]!]!++;
  }
  return names
    .map((name, at) => ({ name, at }))
    .filter(({ at }) => counts[at]! > 0)
    .sort((a, b) => selfs[b.at]! - selfs[a.at]!)
    .map(({ name, at }) => {
      if (kinds) return { name, look: `service-${KIND_COLOURS[at] ?? 6}` };
      const { colour, striped } = paintOf(name);
      return { name, look: `service-${colour}${striped ? ' striped' : ''}` };
    });
}
