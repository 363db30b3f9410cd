import { useSignal } from '@preact/signals';
import { toClipboard } from '../../../parts/copy';

/** A button that copies a text and says that it did. */
export function Copy({ text, what, label }: { text: () => string; what: string; label?: string }) {
  const said = useSignal('');
  const copy = async () => {
    said.value = (await toClipboard(text())) ? 'copied' : 'not allowed';
    setTimeout(() => (said.value = ''), 1200);
  };
  return (
    <button type="button" class="plain tool" aria-label={`Copy ${what}`} title={`Copy ${what}`} onClick={copy}>
      {said.value ? <span role="status">{said}</span> : (label ?? <CopyIcon />)}
    </button>
  );
}

function CopyIcon() {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z" />
    </svg>
  );
}

/** A funnel: spans like this one. */
export function FilterIcon() {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M2 3h12L9.5 8.5V13l-3-1.5v-3z" />
    </svg>
  );
}
