import { signal } from '@preact/signals';

/** Whether there is only room for a list: a phone, or a window at 200 %. */
const narrowQuery = matchMedia('(max-width: 700px)');
export const narrow = signal(narrowQuery.matches);
narrowQuery.addEventListener('change', () => {
  narrow.value = narrowQuery.matches;
});

const KEY = 'clew.names';
const [NAMES_MIN, NAMES_USUAL_MAX] = [140, 460];
/** Part of the width that the names may take at most. */
const NAMES_SHARE_MAX = 0.7;

/** How wide the reader wants the column of names, in pixels; a taste, like the theme, and in no address. */
export const wantedNames = signal(stored());

/** How wide it is on the screen. */
export const shownNames = signal(NAMES_USUAL_MAX);

/** How wide it is in a waterfall of that width. */
export function namesWidth(width: number, wanted: number | null): number {
  const usual = Math.min(Math.max(width * 0.34, 220), NAMES_USUAL_MAX);
  return Math.round(Math.max(NAMES_MIN, Math.min(wanted ?? usual, width * NAMES_SHARE_MAX)));
}

/** Keeps a width. */
export function keepNames(width: number): void {
  wantedNames.value = width;
  try {
    localStorage.setItem(KEY, String(Math.round(width)));
  } catch {
    // A browser that keeps nothing shows it until the page is left.
  }
}

function stored(): number | null {
  try {
    const width = Number(localStorage.getItem(KEY));
    return width > 0 ? width : null;
  } catch {
    return null;
  }
}
