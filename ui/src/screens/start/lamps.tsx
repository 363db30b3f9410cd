import type { Figures } from '../../api/shapes';
import type { Problem } from '../../api/client';
import { count, counted } from '../../format/count';
import { ago, parseTime } from '../../format/time';
import { HintList } from '../../parts/hints';

interface Lamp {
  told: string;
  detail: string;
  state: 'on' | 'off' | 'failed';
}

interface Props {
  figures: Figures | null;
  problem: Problem | null;
  /** Whether a search finds a trace; `null` while that is not known. */
  isFound: boolean | null;
}

/** How far spans have come, step by step, and what was seen to be set up wrongly. */
export function Lamps({ figures, problem, isFound }: Props) {
  return (
    <section class="lamps" aria-label="How far spans have come">
      <h2>How far spans have come</h2>
      <ol>
        {lampsOf(figures, problem, isFound).map((lamp) => (
          <li key={lamp.told} class={`lamp ${lamp.state}`}>
            <span class="lamp-light" aria-hidden="true">
              {lamp.state === 'failed' ? '\u2715' : lamp.state === 'on' ? '\u2713' : ''}
            </span>
            <span>
              {lamp.told}
              <span class="visually-hidden">
                {lamp.state === 'on' ? ': yes' : lamp.state === 'failed' ? ': no' : ': not yet'}
              </span>
            </span>
            <span class="muted foreign">{lamp.detail}</span>
          </li>
        ))}
      </ol>
      {figures && figures.hints.length > 0 && (
        <>
          <h2>Seen, and how to mend it</h2>
          <HintList hints={figures.hints} now={figures.now} />
        </>
      )}
    </section>
  );
}

function lampsOf(figures: Figures | null, problem: Problem | null, isFound: boolean | null): Lamp[] {
  const isOn = (on: boolean) => (on ? 'on' : 'off') as Lamp['state'];
  const received = figures?.spans.received ?? 0;
  const refused = (figures?.spans.tenants ?? []).reduce(
    (sum, one) => sum + one.refused.reduce((all, { requests }) => all + requests, 0),
    0,
  );
  const isSeen = (figures?.spans.requests ?? 0) > 0 || received > 0 || refused > 0 || (figures?.hints.length ?? 0) > 0;
  const last = figures?.spans.lastReceived;
  return [
    problem
      ? { told: 'Server reachable', detail: problem.message, state: 'failed' }
      : { told: 'Server reachable', detail: figures ? `clew ${figures.version}` : '', state: isOn(figures !== null) },
    {
      told: 'Sender seen',
      detail: isSeen ? (refused ? `${counted(refused, 'request')} refused` : '') : 'no request yet',
      state: isOn(isSeen),
    },
    {
      told: 'Spans received',
      detail: received
        ? `${count(received)}${last ? `, the last ${ago(parseTime(last), parseTime(figures!.now))}` : ''}`
        : 'none since the server started',
      state: isOn(received > 0),
    },
    { told: 'Stored and found', detail: isFound === false ? 'a search finds nothing yet' : '', state: isOn(isFound === true) },
  ];
}
