import { computed, effect, signal } from '@preact/signals';
import { address } from './route';

/** What the reader chose: to follow the system, or one theme. */
export type ThemeChoice = 'system' | 'dark' | 'light';

const KEY = 'clew.theme';
const systemIsLight = matchMedia('(prefers-color-scheme: light)');
const systemTheme = signal(systemIsLight.matches ? 'light' : 'dark');
systemIsLight.addEventListener('change', () => {
  systemTheme.value = systemIsLight.matches ? 'light' : 'dark';
});

/** The reader's choice of theme, kept by the browser and by no address. */
export const themeChoice = signal<ThemeChoice>(stored());

/** The theme that is shown. */
export const theme = computed(() => (themeChoice.value === 'system' ? systemTheme.value : themeChoice.value));

effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
});

/** Chooses a theme. */
export function chooseTheme(choice: ThemeChoice): void {
  themeChoice.value = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // A browser that keeps nothing shows the choice until the page is left.
  }
}

function stored(): ThemeChoice {
  try {
    const choice = localStorage.getItem(KEY);
    return choice === 'dark' || choice === 'light' ? choice : 'system';
  } catch {
    return 'system';
  }
}

/** The zone that times are told in: the address says it, else the browser's own. */
export const zone = computed(() => address.value.params.get('zone') ?? 'local');

/** Whether things should stand still. */
export const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
