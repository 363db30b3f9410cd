import { useRef } from 'preact/hooks';
import { carried } from '../../api/source';
import { counted } from '../../format/count';
import { duration } from '../../format/duration';
import { exact, parseTime } from '../../format/time';
import { ProblemNote } from '../../parts/problem';
import { Dot } from '../../parts/service';
import { address, href, setParams } from '../../route';
import { zone } from '../../settings';
import { TraceScreen } from '../trace';
import { type Explained, opened, openFile } from './opened';
import './view.css';

/** A trace from a file: explained by the server, stored nowhere. */
export function View() {
  const now = opened.value;
  switch (now.state) {
    case 'none':
      return (
        <>
          <h1 class="visually-hidden">View a file</h1>
          <Choose />
        </>
      );
    case 'asking':
      return <p class="empty">{`Reading ${now.name}`}</p>;
    case 'failed':
      return (
        <div class="view">
          <h1 class="foreign">{now.name}</h1>
          <ProblemNote problem={now.problem} />
          <Choose />
        </div>
      );
    case 'here':
      return <Shown name={now.name} explained={now.explained} />;
  }
}

function Shown({ name, explained }: { name: string; explained: Explained }) {
  const { traces } = explained;
  const chosen =
    traces.length === 1 ? traces[0] : traces.find((one) => one.skeleton.traceId === address.value.params.get('trace'));
  if (!chosen) return <Listed name={name} explained={explained} />;
  return (
    <>
      <div class="view-note">
        <span>
          From <span class="foreign">{name}</span>. Nothing of it is stored.
        </span>
        {traces.length > 1 && <a href={href('view')}>{counted(traces.length, 'trace')} in the file</a>}
        <Problems explained={explained} />
        <span class="spread" />
        <Pick />
      </div>
      <TraceScreen key={chosen.skeleton.traceId} source={carried(chosen.skeleton, chosen.full)} />
    </>
  );
}

function Listed({ name, explained }: { name: string; explained: Explained }) {
  const { traces } = explained;
  return (
    <div class="view">
      <h1 class="foreign">{name}</h1>
      <p class="muted">
        {traces.length
          ? `${counted(traces.length, 'trace')}. Nothing of the file is stored.`
          : 'No trace is in this file. Nothing of it is stored.'}
      </p>
      <Problems explained={explained} />
      {traces.length > 0 && (
        <table class="view-traces">
          <thead>
            <tr>
              <th scope="col">Root</th>
              <th scope="col">Spans</th>
              <th scope="col">Errors</th>
              <th scope="col">Duration</th>
              <th scope="col">Start</th>
            </tr>
          </thead>
          <tbody>
            {traces.map(({ skeleton: { traceId, summary } }) => (
              <tr key={traceId}>
                <th scope="row">
                  <a href={href('view', new URLSearchParams({ trace: traceId }))} onClick={(event) => choose(event, traceId)}>
                    {summary.root ? (
                      <>
                        <Dot service={summary.root.service} /> <span class="muted foreign">{summary.root.service}</span>{' '}
                        <span class="foreign">{summary.root.operation}</span>
                      </>
                    ) : (
                      <em>root not in the file</em>
                    )}
                  </a>
                </th>
                <td class="mono">{summary.spanCount}</td>
                <td class={summary.errorCount ? 'mono error-text' : 'mono'}>
                  {summary.errorCount ? `\u2715 ${summary.errorCount}` : ''}
                </td>
                <td class="mono">{duration(summary.durationNanos)}</td>
                <td class="mono">{exact(parseTime(summary.start), zone.value).slice(0, 23)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Choose />
    </div>
  );
}

/** The trace is a parameter, so that "back" comes to the list again. */
function choose(event: MouseEvent, traceId: string): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  setParams({ trace: traceId });
}

function Problems({ explained: { problems } }: { explained: Explained }) {
  if (problems.length === 0) return null;
  return (
    <details class="view-problems">
      <summary class="error-text">{counted(problems.length, 'problem')}</summary>
      <ul>
        {problems.map((one) => (
          <li key={one} class="foreign">
            {one}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Choose() {
  return (
    <div class="view-choose">
      <p>Drop a file anywhere on this page to view the traces in it: OTLP, Jaeger or Zipkin.</p>
      <Pick />
      <p class="muted">The server explains it and stores nothing.</p>
    </div>
  );
}

function Pick() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button onClick={() => input.current?.click()}>Choose a file</button>
      <input
        ref={input}
        type="file"
        hidden
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) {
            setParams({ trace: null, span: null, z: null, fold: null, find: null }, true);
            void openFile(file);
          }
        }}
      />
    </>
  );
}
