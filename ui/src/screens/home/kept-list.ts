import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { usePoll } from '../../api/answer';
import { stay } from '../../parts/arrival';
import { TraceList } from './trace-list';

/** How often new traces are counted. */
const POLL_MILLIS = 5_000;

/** The list that was shown last, and where in it the reader was. */
interface Kept {
  id: number;
  key: string;
  list: TraceList;
  scrollTop: number;
  /** The link of the trace that had the focus, and how far it was from the window's top. */
  focused: { href: string; top: number } | null;
}

let kept: Kept | null = null;
let lastId = 0;

/** The list of a question. Whoever comes "back" to it finds it as it was left, with what is new counted. */
export function useList(question: URLSearchParams, key: string, isGrowing: boolean): TraceList {
  const isBack = useMemo(
    () => kept !== null && kept.key === key && markOf(history.state) === kept.id && kept.list.rows.peek() !== null,
    [],
  );
  const list = useMemo(() => (isBack ? kept!.list : new TraceList()), []);
  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current && isBack) list.resume();
    else {
      kept = { id: ++lastId, key, list, scrollTop: 0, focused: null };
      void list.open(question);
    }
    isFirst.current = false;
    history.replaceState({ ...history.state, list: kept!.id }, '');
  }, [key]);
  useEffect(() => () => list.close(), []);
  usePlace(isBack);
  useCount(isGrowing, list, key);
  return list;
}

/** Remembers where the reader is, and returns there. */
function usePlace(isBack: boolean): void {
  useLayoutEffect(() => {
    const main = document.getElementById('main');
    if (!main) return;
    if (isBack && kept) {
      stay();
      returnTo(main, kept);
    }
    const remember = () => {
      if (!kept) return;
      kept.scrollTop = main.scrollTop;
      const link = document.activeElement?.closest<HTMLAnchorElement>('a.trace-link');
      if (link) kept.focused = { href: link.getAttribute('href') ?? '', top: link.getBoundingClientRect().top };
    };
    main.addEventListener('scroll', remember, { passive: true });
    main.addEventListener('focusin', remember);
    // A click on a row is the last moment at which it stands where it stood.
    main.addEventListener('click', remember, { capture: true });
    return () => {
      main.removeEventListener('scroll', remember);
      main.removeEventListener('focusin', remember);
      main.removeEventListener('click', remember, { capture: true });
    };
  }, []);
}

function returnTo(main: HTMLElement, { scrollTop, focused }: Kept): void {
  main.scrollTop = scrollTop;
  if (!focused) return;
  const links = [...main.querySelectorAll<HTMLAnchorElement>('a.trace-link')];
  const link = links.find((one) => one.getAttribute('href') === focused.href);
  link?.focus({ preventScroll: true });
  // Rows that were never drawn have a supposed height, so that the same offset may be another row.
  if (link) main.scrollTop += link.getBoundingClientRect().top - focused.top;
}

/** Counts new traces, but not in the first moment, when the list itself is being asked for. */
function useCount(isGrowing: boolean, list: TraceList, key: string): void {
  const counted = useRef('');
  usePoll(
    POLL_MILLIS,
    async (signal) => {
      if (counted.current === key && isGrowing) await list.poll(signal);
      counted.current = key;
    },
    key,
  );
}

function markOf(state: unknown): number | null {
  const mark = (state as { list?: unknown } | null)?.list;
  return typeof mark === 'number' ? mark : null;
}
