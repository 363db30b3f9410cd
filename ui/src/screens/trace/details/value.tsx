import { useSignal } from '@preact/signals';
import { Fragment } from 'preact';
import { allOf, folded, pieces, type Told } from './values';

/**
 * Text of senders with what was looked for marked, and characters named that cannot be seen. A key breaks behind its dots
 * rather than in a word.
 */
export function Foreign({ text, wanted, isKey = false }: { text: string; wanted: string; isKey?: boolean }) {
  return (
    <span class="foreign">
      {pieces(text).map((piece, at) =>
        typeof piece === 'string' ? (
          <Marked key={at} text={piece} wanted={wanted} isKey={isKey} />
        ) : (
          <span key={at} class="unseen" title="A character that cannot be seen">
            {piece.unseen}
          </span>
        ),
      )}
    </span>
  );
}

/** Marks at most so many: a text of one letter a million times is no reason for a million elements. */
const MARKS_MAX = 100;

function Marked({ text, wanted, isKey }: { text: string; wanted: string; isKey: boolean }) {
  const told = (part: string) => (isKey && text.length <= 200 ? breakable(part) : part);
  if (!wanted) return <>{told(text)}</>;
  const [low, needle] = [text.toLowerCase(), wanted.toLowerCase()];
  // Lower case can be longer than the text that it is of; then places in one are none in the other.
  if (low.length !== text.length) return <>{told(text)}</>;
  const parts = [];
  let from = 0;
  for (let hit = low.indexOf(needle); hit >= 0 && parts.length < 2 * MARKS_MAX; hit = low.indexOf(needle, from)) {
    parts.push(told(text.slice(from, hit)), <mark key={hit}>{text.slice(hit, hit + needle.length)}</mark>);
    from = hit + needle.length;
  }
  return (
    <>
      {parts}
      {told(text.slice(from))}
    </>
  );
}

function breakable(key: string) {
  return key.split(/(?<=[._/-])/).map((part, at) => (
    <Fragment key={at}>
      {at > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

/** A value: its start when it is long, all of it when asked. */
export function Value({ told, wanted }: { told: Told; wanted: string }) {
  const all = useSignal(false);
  const short = folded(told.text, wanted);
  if (told.look === 'empty') return <em class="muted">{told.text}</em>;
  return (
    <>
      <span class={`value ${told.look}`}>
        <Foreign text={short === null || all.value ? told.text : short} wanted={wanted} />
      </span>
      {told.hint && <span class="hint">{told.hint}</span>}
      {short !== null && (
        <button type="button" class="plain more" aria-expanded={all.value} onClick={() => (all.value = !all.value)}>
          {all.value ? 'show less' : allOf(told.text)}
        </button>
      )}
    </>
  );
}
