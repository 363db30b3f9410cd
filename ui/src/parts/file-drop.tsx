import { useEffect, useState } from 'preact/hooks';
import { go } from '../route';
import { openFile } from '../screens/view/opened';

/** A file that is dropped anywhere on the page is shown; nothing of it is stored. */
export function FileDrop() {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const isFile = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const over = (event: DragEvent) => {
      if (!isFile(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      setOver(false);
      if (!isFile(event)) return;
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      void openFile(file);
      go('view');
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);
  if (!isOver) return null;
  return (
    <div class="drop-veil" aria-hidden="true">
      <p>
        Drop to view: OTLP, Jaeger or Zipkin.
        <br />
        <span class="muted">Nothing is stored.</span>
      </p>
    </div>
  );
}
