import './style/tokens.css';
import './style/base.css';
import { render } from 'preact';
import type { Skeleton, Trace } from './api/shapes';
import { carried } from './api/source';
import { TraceScreen } from './screens/trace';

// The page was downloaded with a trace in it: there is a reader, and no server.
const data = JSON.parse(document.getElementById('clew-trace')!.textContent ?? 'null') as { skeleton: Skeleton; full: Trace } | null;
const app = document.getElementById('app')!;
if (data) render(<TraceScreen source={carried(data.skeleton, data.full)} />, app);
else app.textContent = 'This page carries no trace.';
