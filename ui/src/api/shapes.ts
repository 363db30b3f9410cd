/** The API's shapes under short names. `generated/types.d.ts` is made from `openapi.json` by `npm run types`, and is not kept. */
import type { components } from './generated/types';

type Schemas = components['schemas'];

export type Skeleton = Schemas['Skeleton'];
export type Segments = Schemas['SkeletonSegments'];
export type Group = Schemas['GroupShape'];
export type SkeletonSpans = Schemas['SkeletonSpans'];
export type Trace = Schemas['TraceAnswer'];
export type Span = Schemas['SpanShape'];
export type Attribute = Schemas['AttributeShape'];
export type SpanEvent = Schemas['EventShape'];
export type SpanLink = Schemas['LinkShape'];
export type Resource = Schemas['ResourceShape'];
export type Scope = Schemas['ScopeShape'];
export type Thread = Schemas['ThreadShape'];
export type Gap = Schemas['GapShape'];
export type Bottleneck = Schemas['BottleneckShape'];
export type Tail = Schemas['TailShape'];
export type Summary = Schemas['SummaryShape'];
export type SearchAnswer = Schemas['SearchAnswer'];
export type State = Schemas['StateShape'];
export type Incomplete = Schemas['IncompleteShape'];
export type Total = Schemas['Total'];
export type Silhouette = Schemas['SilhouetteShape'];
export type Heatmap = Schemas['HeatmapAnswer'];
export type AttributesAnswer = Schemas['AttributesAnswer'];
export type ValuesAnswer = Schemas['AttributeValuesAnswer'];
export type Figures = Schemas['FiguresAnswer'];
export type TenantFigures = Schemas['TenantShape'];
export type Timing = Schemas['LatencyFigures'];
export type Turned = Schemas['RejectedShape'];
export type MemoryPart = Schemas['MemoryPart'];
export type Health = Schemas['Health'];
export type Hint = Schemas['HintShape'];
