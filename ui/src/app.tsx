import './app.css';
import { Bar } from './parts/bar';
import { FileDrop } from './parts/file-drop';
import { Help } from './parts/keys';
import { lazy } from './parts/lazy';
import { useArrival } from './parts/arrival';
import { address, follow, href } from './route';
import { Home } from './screens/home';
import { ServedTrace } from './screens/trace';

// Home and the trace come with the page; the others when they are gone to.
const Start = lazy(async () => (await import('./screens/start')).Start);
const Operate = lazy(async () => (await import('./screens/operate')).Operate);
const View = lazy(async () => (await import('./screens/view')).View);

/** The application: a bar, and the screen that the address names. */
export function App() {
  const arrival = useArrival();
  return (
    <div class="shell" onClick={follow}>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          arrival.main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <Bar />
      <main class="screen" id="main" ref={arrival.main} tabIndex={-1}>
        <CurrentScreen />
      </main>
      <p class="visually-hidden" aria-live="polite">
        {arrival.announced}
      </p>
      <Help />
      <FileDrop />
    </div>
  );
}

function CurrentScreen() {
  const { screen, traceId } = address.value;
  switch (screen) {
    case 'home':
      return <Home />;
    case 'trace':
      return <ServedTrace key={traceId} traceId={traceId!} />;
    case 'start':
      return <Start />;
    case 'operate':
      return <Operate />;
    case 'view':
      return <View />;
    case 'unknown':
      return (
        <p class="empty">
          Nothing is at this address. <a href={href('')}>See the traces</a>
        </p>
      );
  }
}
