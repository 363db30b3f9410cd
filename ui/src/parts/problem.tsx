import type { Problem } from '../api/client';
import { sentence } from '../format/sentence';
import './parts.css';

/** What the server, or this page, could not do: in its own words, with the parameter at fault. */
export function ProblemNote({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div class="problem" role="alert">
      <strong class="error-text">{`\u2715 ${problem.title || 'Error'}`}</strong>
      <p class="foreign">{sentence(problem.message)}</p>
      {problem.parameter && (
        <p class="muted">
          Parameter: <code class="mono">{problem.parameter}</code>
        </p>
      )}
      {retry && <button onClick={retry}>Try again</button>}
    </div>
  );
}
