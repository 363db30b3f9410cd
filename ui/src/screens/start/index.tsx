import { useRef, useState } from 'preact/hooks';
import type { Figures, SearchAnswer } from '../../api/shapes';
import { asProblem, usePoll, withTenant } from '../../api/answer';
import { ask, type Problem } from '../../api/client';
import { Copy } from '../../parts/copy';
import { ProblemNote } from '../../parts/problem';
import { Tabs } from '../../parts/tabs';
import { address, go, href } from '../../route';
import { addressesOf } from './doors';
import { Lamps } from './lamps';
import { drawIds, guides, type Protocol } from './snippets';
import './start.css';

const POLL_MILLIS = 1_000;
const DEMO = { seed: 1, count: 120 };

/** The server's figures and its newest trace, looked at each second; `arrived` gets the first trace of an empty server. */
function useProgress(isHome: boolean, arrived: (traceId: string, tenant: string | null) => void) {
  const [figures, setFigures] = useState<Figures | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [newest, setNewest] = useState<string | null | undefined>(undefined);
  // Only a server that held nothing turns into the trace by itself: on a busy one that would be a surprise.
  const wasEmpty = useRef<boolean | null>(isHome ? true : null);
  usePoll(POLL_MILLIS, async (signal) => {
    try {
      const now = await ask<Figures>('v1/figures', undefined, { signal });
      setFigures(now);
      setProblem(null);
      const tenant = tenantOf(now);
      const found = await newestTrace(tenant, signal);
      setNewest(found);
      wasEmpty.current ??= found === null;
      if (found && wasEmpty.current) arrived(found, tenant);
    } catch (error) {
      if (!signal.aborted) setProblem(asProblem(error));
    }
  });
  return { figures, problem, newest };
}

/** The first minute: how to send spans, how far they have come, and the first trace as soon as it is here. */
export function Start({ isHome = false, leave }: { isHome?: boolean; leave?: () => void }) {
  const [isSending, setSending] = useState(false);
  const [failure, setFailure] = useState<Problem | null>(null);
  const open = (traceId: string, tenant: string | null) => {
    leave?.();
    go(`t/${traceId}`, new URLSearchParams(tenant ? { tenant } : {}));
  };
  // The demo leads to a trace of its own when all of them are sent.
  const { figures, problem, newest } = useProgress(isHome, (traceId, tenant) => isSending || open(traceId, tenant));
  const runDemo = async () => {
    setSending(true);
    setFailure(null);
    try {
      const headers = { 'Content-Type': 'application/json' };
      const sent = await ask<{ firstTraceId: string | null; examples?: { traceId: string }[] }>('v1/demo', withTenant(), {
        method: 'POST',
        headers,
        body: JSON.stringify(DEMO),
      });
      // One of the planted faults, where the server names them.
      const shown = sent.examples?.[0]?.traceId ?? sent.firstTraceId;
      if (shown) open(shown, null);
    } catch (error) {
      setFailure(asProblem(error));
    }
    setSending(false);
  };

  return (
    <div class="start">
      <header>
        <h1>{newest === null || isHome ? 'No spans yet. Send some' : 'Send spans'}</h1>
        <p class="muted">
          {newest && !isHome ? (
            <>
              Spans are here: <a href={href(`t/${newest}`)}>see the newest trace</a> or <a href={href('')}>all of them</a>.
            </>
          ) : (
            'This page turns into your first trace as soon as it is here.'
          )}
        </p>
      </header>
      <div class="start-columns">
        <Guides figures={figures} />
        <div class="start-aside">
          <section class="demo">
            <h2>Or look around first</h2>
            <p class="muted">
              A simulated shop sends {DEMO.count} traces, with a slow query, a declined card, an N+1 and a clock that is ahead
              planted in them. They are stored as yours would be.
            </p>
            <button class="primary" onClick={() => void runDemo()} disabled={isSending}>
              {isSending ? 'Sending' : 'Send the demo\u2019s traces'}
            </button>
            {failure && <ProblemNote problem={failure} />}
            <p class="muted">
              Or <a href={href('view')}>view a file</a> of OTLP, Jaeger or Zipkin without storing it.
            </p>
          </section>
          <Lamps figures={figures} problem={problem} isFound={newest === undefined ? null : newest !== null} />
        </div>
      </div>
    </div>
  );
}

function Guides({ figures }: { figures: Figures | null }) {
  const [ids] = useState(drawIds);
  const [protocol, setProtocol] = useState<Protocol>('http');
  const [chosen, setChosen] = useState('python');
  const all = guides(ids.traceId, ids.spanId);
  const guide = all.find((one) => one.id === chosen)!;
  const addresses = addressesOf(new URL(document.baseURI), figures?.doors ?? []);
  return (
    <section class="start-guides" aria-label="How to send spans">
      <Tabs label="Languages" tabs={all} chosen={chosen} choose={setChosen}>
        <div class="protocols" role="group" aria-label="Protocol">
          {guide.hasProtocols && (
            <>
              <button aria-pressed={protocol === 'http'} onClick={() => setProtocol('http')}>
                HTTP
              </button>
              <button aria-pressed={protocol === 'grpc'} onClick={() => setProtocol('grpc')}>
                gRPC
              </button>
            </>
          )}
          <span class="muted">
            to <code class="mono">{guide.hasProtocols && protocol === 'grpc' ? addresses.grpc : addresses.http}</code>
          </span>
        </div>
        <ol class="steps">
          {guide.steps(addresses, protocol).map((step) => (
            <li key={step.told}>
              <p>{step.told}</p>
              <div class="code">
                <pre class="mono" tabIndex={0} aria-label={step.told}>
                  {step.code}
                </pre>
                <Copy text={step.code} what={step.told} />
              </div>
            </li>
          ))}
        </ol>
        {guide.note && <p class="muted">{guide.note}</p>}
        <p class="muted">
          Every port of clew takes OTLP over gRPC and HTTP alike. SDKs send in batches, by default every five seconds.
        </p>
      </Tabs>
    </section>
  );
}

/** The tenant whose spans are here: that of the address, else the first that got any, when it is not the usual one. */
function tenantOf(figures: Figures): string | null {
  if (address.value.params.has('tenant')) return null;
  const filled = figures.spans.tenants.filter((one) => one.received > 0);
  return filled.length > 0 && !filled.some((one) => one.tenant === 'default') ? filled[0]!.tenant : null;
}

async function newestTrace(tenant: string | null, signal: AbortSignal): Promise<string | null> {
  const params = new URLSearchParams({ limit: '1', total: 'none', ...(tenant && { tenant }) });
  const page = await ask<SearchAnswer>('v1/traces/search', withTenant(params), { signal });
  return page.traces[0]?.traceId ?? null;
}
