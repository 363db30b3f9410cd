import { toClipboard } from '../../parts/copy';
import { alongThread, fit, fold, nextOf, pan, step, unfold, zoom } from './commands';
import { wholeName } from './labels';
import type { Colour, TraceState } from './state';
import { findNext, setColour } from './toolbar';

/** One key's work, and how help tells of it. */
export interface Command {
  /** As `KeyboardEvent.key` has them, with `Shift+`, `Ctrl+` before. */
  keys: string[];
  /** How they are written. */
  shown: string;
  words: string;
  run(state: TraceState): void;
}

/** How long it is said that a key did something. */
const TOLD_MS = 1_500;

const COLOURS: Colour[] = ['service', 'kind', 'self'];

/** All keys of the trace screen, in the order of the help. */
export const COMMANDS: Command[] = [
  { keys: ['j', 'ArrowDown'], shown: 'j  \u2193', words: 'next row', run: (state) => step(state, 1) },
  { keys: ['k', 'ArrowUp'], shown: 'k  \u2191', words: 'row before', run: (state) => step(state, -1) },
  { keys: ['ArrowLeft', 'h'], shown: '\u2190', words: 'fold, or go to the parent', run: fold },
  { keys: ['ArrowRight', 'l'], shown: '\u2192', words: 'unfold, or go to the first child', run: unfold },
  { keys: ['Enter'], shown: 'Enter', words: 'details', run: (state) => state.put({ details: state.detailsOpen.peek() ? '0' : '1' }, 'soon') },
  { keys: ['.'], shown: '.', words: 'along the thread', run: (state) => alongThread(state, 1) },
  { keys: [','], shown: ',', words: 'back along the thread', run: (state) => alongThread(state, -1) },
  { keys: ['t'], shown: 't', words: 'only what leads to the thread', run: (state) => state.put({ thread: state.threadOnly.peek() ? null : '1' }) },
  { keys: ['e'], shown: 'e', words: 'next error', run: (state) => void nextOf(state, state.model.peek()?.failed ?? [], 1) },
  { keys: ['E', 'Shift+E'], shown: 'E', words: 'error before', run: (state) => void nextOf(state, state.model.peek()?.failed ?? [], -1) },
  { keys: ['/', 'Ctrl+f', 'Meta+f'], shown: '/  Ctrl-F', words: 'find in this trace', run: (state) => void (state.findOpen.value = true) },
  { keys: ['n'], shown: 'n', words: 'next match', run: (state) => findNext(state, 1) },
  { keys: ['N', 'Shift+N'], shown: 'N', words: 'match before', run: (state) => findNext(state, -1) },
  { keys: ['w', '+', '=', 'Shift+ArrowUp'], shown: 'w  +', words: 'come closer', run: (state) => zoom(state, 0.6) },
  { keys: ['s', '-', 'Shift+ArrowDown'], shown: 's  -', words: 'go away', run: (state) => zoom(state, 1 / 0.6) },
  { keys: ['a', 'Shift+ArrowLeft'], shown: 'a  Shift-\u2190', words: 'earlier', run: (state) => pan(state, -0.2) },
  { keys: ['d', 'Shift+ArrowRight'], shown: 'd  Shift-\u2192', words: 'later', run: (state) => pan(state, 0.2) },
  { keys: ['f'], shown: 'f', words: 'fit what is selected', run: fit },
  { keys: ['0'], shown: '0', words: 'show all', run: (state) => state.showAll() },
  { keys: ['g'], shown: 'g', words: 'gather repeated siblings', run: (state) => state.put({ groups: state.grouped.peek() ? '0' : null }) },
  { keys: ['x'], shown: 'x', words: 'rows for gaps', run: (state) => state.put({ gaps: state.gaps.peek() ? '0' : null }) },
  { keys: ['y'], shown: 'y', words: 'copy the name', run: (state) => void copyName(state) },
  {
    keys: ['c'], shown: 'c', words: 'what colour says',
    run: (state) => setColour(state, COLOURS[(COLOURS.indexOf(state.colour.peek()) + 1) % COLOURS.length]!),
  },
  { keys: ['1'], shown: '1', words: 'waterfall', run: (state) => state.put({ view: null }) },
  { keys: ['2'], shown: '2', words: 'flame', run: (state) => state.put({ view: 'flame' }) },
  { keys: ['3'], shown: '3', words: 'table', run: (state) => state.put({ view: 'table' }) },
  { keys: ['Escape'], shown: 'Esc', words: 'close find or details', run: close },
];

function close(state: TraceState): void {
  if (state.params.peek().get('find')) state.put({ find: null }, 'soon');
  else if (state.detailsOpen.peek()) state.put({ details: '0' }, 'soon');
}

/** Puts the name of what is chosen on the clipboard, and says so. */
async function copyName(state: TraceState): Promise<void> {
  const model = state.model.peek();
  const name = model && wholeName(model, state.chosen.peek());
  if (!name) return;
  state.told.value = (await toClipboard(name)) ? 'name copied' : 'copying is not allowed';
  setTimeout(() => (state.told.value = ''), TOLD_MS);
}

const byKey = new Map(COMMANDS.flatMap((command) => command.keys.map((key) => [key, command] as const)));

/** The command of a key press; none where text is written, or a dialog is open. */
export function commandOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'target'>): Command | undefined {
  const element = event.target instanceof HTMLElement ? event.target : null;
  if (element?.closest('input, textarea, select, [contenteditable], dialog')) return undefined;
  // A pressed key does what its element says: a button is pressed, a link followed, a summary opened.
  if (event.key === 'Enter' && element?.closest('a, button, summary')) return undefined;
  if (event.altKey) return undefined;
  const arrow = event.key.startsWith('Arrow');
  // Arrows belong to what has the focus where that is a pane which scrolls or a handle.
  if (arrow && element && !isScreen(element) && !element.closest('[role=treegrid]')) return undefined;
  const before = event.ctrlKey ? 'Ctrl+' : event.metaKey ? 'Meta+' : event.shiftKey && arrow ? 'Shift+' : '';
  return byKey.get(before + event.key);
}

/** What has the focus when nothing was chosen: the page, or the screen that was just arrived at. */
function isScreen(element: HTMLElement): boolean {
  return element === document.body || element.id === 'main';
}

/** Hears the keys of the trace screen; gives the way to stop. */
export function hearKeys(state: TraceState, help: () => void): () => void {
  const hear = (event: KeyboardEvent) => {
    if (event.defaultPrevented || !state.model.peek()) return;
    if (event.key === '?' && !(event.target as HTMLElement).closest?.('input, textarea, select, dialog')) {
      event.preventDefault();
      help();
      return;
    }
    const command = commandOf(event);
    if (!command) return;
    event.preventDefault();
    command.run(state);
  };
  addEventListener('keydown', hear);
  return () => removeEventListener('keydown', hear);
}
