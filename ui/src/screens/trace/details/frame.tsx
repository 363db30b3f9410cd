import { signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { TraceState } from '../state';

const KEY = 'clew.details';
const [WIDTH_MIN, WIDTH_DEFAULT, WIDTH_MAX] = [260, 380, 900];
/** How far one key moves the edge. */
const STEP = 24;

/** The reader's width of the pane. It is of the browser like the window's size, so no address has it. */
const width = signal(stored());

function stored(): number {
  try {
    const kept = Number(localStorage.getItem(KEY));
    return kept >= WIDTH_MIN && kept <= WIDTH_MAX ? kept : WIDTH_DEFAULT;
  } catch {
    return WIDTH_DEFAULT;
  }
}

function resize(wanted: number): void {
  // The views keep room for themselves.
  width.value = Math.round(Math.max(WIDTH_MIN, Math.min(wanted, WIDTH_MAX, innerWidth * 0.6)));
}

function keep(): void {
  try {
    localStorage.setItem(KEY, String(width.peek()));
  } catch {
    // A browser that keeps nothing opens the pane as wide as it is by default.
  }
}

/** The pane's edge and its way out; on a phone, where it is a sheet, what it is about. */
export function Frame({ state, title, children }: { state: TraceState; title: string; children: ComponentChildren }) {
  const close = () => {
    state.put({ details: '0' });
    document.querySelector<HTMLElement>('.trace-main :is([role=treegrid], [role=application])')?.focus();
  };
  const escape = (event: KeyboardEvent) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    const field = event.target as HTMLInputElement;
    // In the field the first Escape empties it.
    if (field.type === 'search' && field.value !== '') return;
    close();
  };
  return (
    <aside class="details" aria-label="Details" style={{ '--details-width': `${width.value}px` }} onKeyDown={escape}>
      <Edge />
      <div class="details-bar">
        <span class="mono foreign sheet-title">{title}</span>
        <button type="button" class="plain close" aria-label="Close the details" title="Close (Esc)" onClick={close}>
          {'\u2715'}
        </button>
      </div>
      {children}
    </aside>
  );
}

function Edge() {
  const dragging = useSignal(false);
  return (
    <div
      class="details-edge"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the details"
      aria-valuenow={width.value}
      aria-valuemin={WIDTH_MIN}
      aria-valuemax={WIDTH_MAX}
      tabIndex={0}
      data-dragging={dragging.value || undefined}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        dragging.value = true;
      }}
      onPointerMove={(event) => {
        if (dragging.peek()) resize(event.currentTarget.parentElement!.getBoundingClientRect().right - event.clientX);
      }}
      onLostPointerCapture={() => {
        dragging.value = false;
        keep();
      }}
      onDblClick={() => {
        resize(WIDTH_DEFAULT);
        keep();
      }}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        event.preventDefault();
        event.stopPropagation();
        resize(width.peek() + (event.key === 'ArrowLeft' ? STEP : -STEP));
        keep();
      }}
    />
  );
}
