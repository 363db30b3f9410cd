import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Combobox } from './combobox';
import { completed, type Filter, parseDraft, told, withFilter, written } from './filters';
import type { Suggestion } from './suggestions';
import { traceIn } from './trace-id';

interface Props {
  filters: Filter[];
  /** The parameter that the server refused. */
  faulty: string | null;
  change: (filters: Filter[]) => void;
  /** Called when the text names a trace. */
  open: (traceId: string, spanId: string | null) => void;
}

/** What is typed into the bar: a filter to be, or one that is being changed. */
function useDraft({ filters, change, open }: Props, input: RefObject<HTMLInputElement | null>) {
  const [text, setText] = useState('');
  const [editing, setEditing] = useState<Filter | null>(null);
  const [words, setWords] = useState('');
  const others = editing ? filters.filter((one) => !same(one, editing)) : filters;
  useEffect(() => {
    if (editing) input.current?.setSelectionRange(written(editing).length, written(editing).length);
  }, [editing]);

  const type = (next: string) => {
    setText(next);
    setWords('');
  };
  const leave = () => {
    type('');
    setEditing(null);
  };
  const put = (filter: Filter) => {
    change(withFilter(others, filter));
    leave();
  };
  const jump = ({ traceId, spanId }: { traceId: string; spanId: string | null }) => {
    leave();
    open(traceId, spanId);
  };
  return {
    text,
    editing,
    words,
    others,
    type,
    leave,
    edit: (filter: Filter) => {
      setEditing(filter);
      type(written(filter));
      input.current?.focus();
    },
    choose: ({ then }: Suggestion) => {
      if (then.kind === 'text') type(then.text);
      else if (then.kind === 'filter') put(then.filter);
      else jump(then);
    },
    /** Enter on the text as it stands. */
    submit: () => {
      const trace = traceIn(text);
      if (trace) return jump(trace);
      const filter = completed(parseDraft(text));
      if (typeof filter === 'string') setWords(filter);
      else put(filter);
    },
    pasted: (event: ClipboardEvent) => {
      const trace = traceIn(event.clipboardData?.getData('text') ?? '');
      if (!trace) return;
      event.preventDefault();
      jump(trace);
    },
  };
}

/** The conditions as chips, and a field that adds and edits them. */
export function FilterBar(props: Props) {
  const { filters, faulty, change } = props;
  const input = useRef<HTMLInputElement>(null);
  const chips = useRef<HTMLUListElement>(null);
  const { editing, edit, others, ...draft } = useDraft(props, input);
  const focusChip = (at: number) => {
    const buttons = chips.current?.querySelectorAll<HTMLButtonElement>('button.chip-edit');
    const chip = at >= 0 ? buttons?.[Math.min(at, buttons.length - 1)] : undefined;
    (chip ?? input.current)?.focus();
  };
  const remove = (filter: Filter, at: number) => {
    change(filters.filter((one) => !same(one, filter)));
    focusChip(at - 1);
  };

  return (
    <div class="filter-bar" role="group" aria-label="Filters">
      <ul class="chips" ref={chips} aria-label="Filters that are set">
        {filters.map((filter, at) =>
          editing && same(filter, editing) ? null : (
            <Chip
              key={`${filter.param}=${filter.value}`}
              filter={filter}
              isFaulty={filter.param === faulty}
              edit={() => edit(filter)}
              remove={() => remove(filter, at)}
              step={(by) => focusChip(at + by < filters.length ? Math.max(0, at + by) : -1)}
            />
          ),
        )}
      </ul>
      <Combobox
        {...draft}
        input={input}
        filters={others}
        back={() => focusChip(filters.length - 1)}
        placeholder={filters.length ? 'Add a filter' : 'Filter, or paste a trace id, traceparent or log line'}
      />
      {filters.length > 1 && (
        <button class="plain" onClick={() => change([])}>
          Clear
        </button>
      )}
    </div>
  );
}

interface ChipProps {
  filter: Filter;
  isFaulty: boolean;
  edit: () => void;
  remove: () => void;
  step: (by: number) => void;
}

function Chip({ filter, isFaulty, edit, remove, step }: ChipProps) {
  const { name, operator, value } = told(filter);
  const words = `${name} ${operator} ${value}`;
  const keyed = (event: KeyboardEvent) => {
    if (event.key === 'Delete' || event.key === 'Backspace') remove();
    else if (event.key === 'ArrowLeft') step(-1);
    else if (event.key === 'ArrowRight') step(1);
    else return;
    event.preventDefault();
  };
  return (
    <li
      class={`chip${isFaulty ? ' faulty' : ''}${filter.param === 'status' && filter.value === 'error' ? ' failed' : ''}`}
      onKeyDown={keyed}
    >
      <button class="chip-edit foreign" onClick={edit} title={`${words}: edit`} aria-label={`Edit the filter ${words}`}>
        <span class="muted">{name}</span> {operator} <span class="chip-value">{value}</span>
      </button>
      <button class="chip-remove" onClick={remove} aria-label={`Remove the filter ${words}`} tabIndex={-1}>
        {'\u2715'}
      </button>
    </li>
  );
}

function same(a: Filter, b: Filter): boolean {
  return a.param === b.param && a.value === b.value;
}
