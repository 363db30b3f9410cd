import { useState } from 'preact/hooks';
import type { Figures } from '../../api/shapes';
import { asProblem, usePoll } from '../../api/answer';
import { ask, type Problem } from '../../api/client';
import { sentence } from '../../format/sentence';
import { HintList } from '../../parts/hints';
import { ProblemNote } from '../../parts/problem';
import { ratesOf, type Sample, withSample } from './history';
import './operate.css';
import { days, Facts, Latencies, Memory, Panel, Storage, Tenants, TurnedAway } from './panels';
import { RateChart } from './rate-chart';

const POLL_MILLIS = 2_000;

// What was seen stays while the page is open, also when another screen is shown in between.
let kept: Sample[] = [];

/** clew's own figures, on one page. */
export function Operate() {
  const [figures, setFigures] = useState<Figures | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  usePoll(POLL_MILLIS, async (signal) => {
    try {
      const now = await ask<Figures>('v1/figures', undefined, { signal });
      kept = withSample(kept, now.now, now.spans.received, turnedAway(now));
      setFigures(now);
      setProblem(null);
    } catch (error) {
      if (!signal.aborted) setProblem(asProblem(error));
    }
  });
  return (
    <div class="operate">
      <h1 class="visually-hidden">Operate</h1>
      {problem && <ProblemNote problem={problem} />}
      {figures && (
        <div class={problem ? 'panels stale' : 'panels'}>
          <HealthPanel figures={figures} />
          <RateChart rates={ratesOf(kept)} />
          <TurnedAway tenants={figures.spans.tenants} />
          <Latencies figures={figures} />
          <Storage figures={figures} />
          <Memory memory={figures.memory} />
          <Tenants tenants={figures.spans.tenants} />
          <Panel title="This server">
            <Facts
              facts={[
                ['Version', figures.version],
                ['Up for', days(Math.round(figures.uptimeSeconds))],
                ['Data', figures.dataDir],
                ...figures.doors.map((door): [string, string] => [
                  door.purpose === 'api' ? 'This page and the API' : 'Spans',
                  door.address,
                ]),
              ]}
            />
          </Panel>
        </div>
      )}
    </div>
  );
}

function HealthPanel({ figures: { health, hints, now } }: { figures: Figures }) {
  const isWell = health.status === 'ok';
  return (
    <Panel title="Health" wide>
      {isWell ? (
        <p>{hints.length ? 'The server is well.' : 'The server is well, and no wrong set-up was seen.'}</p>
      ) : (
        <ul class="reasons">
          {health.reasons.map((reason) => (
            <li key={reason.name} class="foreign">
              <strong class="error-text">
                {'\u2715'} {reason.name.replaceAll('_', ' ')}
              </strong>{' '}
              {sentence(reason.detail)}
            </li>
          ))}
        </ul>
      )}
      {hints.length > 0 && <HintList hints={hints} now={now} />}
    </Panel>
  );
}

function turnedAway({ spans }: Figures): number {
  return spans.tenants.reduce(
    (sum, one) => [...one.rejected, ...one.refused].reduce((all, { spans: count }) => all + count, sum),
    0,
  );
}
