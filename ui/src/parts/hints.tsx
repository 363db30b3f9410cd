import type { Hint } from '../api/shapes';
import { sentence } from '../format/sentence';
import { ago, parseTime } from '../format/time';
import './parts.css';

/** Wrong set-ups that the server saw, each with the way to mend it. */
export function HintList({ hints, now }: { hints: Hint[]; now: string }) {
  return (
    <ul class="hints">
      {hints.map((hint) => (
        <li key={hint.name}>
          <p class="foreign">
            {sentence(hint.sentence)}{' '}
            {hint.last && <span class="muted">{`Last ${ago(parseTime(hint.last), parseTime(now))}.`}</span>}
          </p>
          <p class="hint-fix foreign">{sentence(hint.fix)}</p>
          {hint.example && (
            <p class="muted foreign">
              Seen: <code class="mono">{hint.example.request}</code>
              {hint.example.userAgent && `, from ${hint.example.userAgent}`}
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}
