import type { RefObject } from 'preact';
import { COMMANDS } from './keys';

/** The keys, on request. */
export function Help({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} class="help" aria-label="Keys" onClick={(event) => event.target === dialog.current && close()}>
      <div class="help-body">
        <h2>Keys</h2>
        <dl>
          {COMMANDS.map(({ shown, words }) => (
            <div>
              <dt>
                {shown.split('  ').map((key) => (
                  <kbd>{key}</kbd>
                ))}
              </dt>
              <dd>{words}</dd>
            </div>
          ))}
        </dl>
        <p class="muted">
          On the time axis: drag over a stretch to zoom to it, Ctrl and the wheel to zoom at the pointer, Shift and the wheel to move. Double-click a row to fit it.
        </p>
        <p class="close">
          <button onClick={close}>Close</button>
        </p>
      </div>
    </dialog>
  );
}
